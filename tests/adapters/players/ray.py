"""The environment, judged on a Ray cluster of this machine's."""

import gymnasium
from played import ENV_ID, Case, Played


def play(case: Case) -> Played:
    env = gymnasium.make(ENV_ID, sandbox="ray", num_workers=1)
    message, info = env.reset(seed=0, options={"problem": case.problem_id})
    messages, rewards = [message], []
    for reply in case.replies:
        message, reward, terminated, truncated, info = env.step(reply)
        rewards.append(float(reward))
        if not (terminated or truncated):
            messages.append(message)
    assert terminated
    env.close()
    return Played(tuple(messages), tuple(rewards), info["private_passed"])
