"""Through ``skyrl_gym.make``, as SkyRL's generator does it: a row, then messages."""

import skyrl_gym
from played import ENV_ID, Case, Played

from codefeedback_env.adapters import skyrl

NAME = "codefeedback_same_episodes"


def play(case: Case) -> Played:
    if NAME not in skyrl_gym.registry:
        skyrl.register(NAME, ENV_ID)
    row = {row["reward_spec"]["ground_truth"]: row for row in skyrl.rows(ENV_ID)}[case.problem_id]
    extras = {key: row[key] for key in row if key not in ("prompt", "env_class")}
    env = skyrl_gym.make(NAME, env_config={}, extras={**extras, "max_turns": 3})
    history, _ = env.init(row["prompt"])
    messages, rewards, done = [history[-1]["content"]], [], False
    for reply in case.replies:
        assert not done
        output = env.step(reply)
        rewards.append(output["reward"])
        messages += [message["content"] for message in output["observations"]]
        done = output["done"]
    assert done
    solved = env.get_metrics()["solved"]
    env.close()
    return Played(tuple(messages), tuple(rewards), solved)
