"""The vector environment, by ``send`` and ``recv``."""

import gymnasium
from played import ENV_ID, Case, Played


def play(case: Case) -> Played:
    env = gymnasium.make_vec(ENV_ID, num_envs=1)
    observations, infos = env.reset(seed=0, options={"problem": case.problem_id})
    messages, rewards = [observations[0]], []
    for reply in case.replies:
        observations, reward, terminated, truncated, infos = env.step([reply])
        rewards.append(float(reward[0]))
        if not (terminated[0] or truncated[0]):
            messages.append(observations[0])
    assert terminated[0]
    env.close()
    return Played(tuple(messages), tuple(rewards), bool(infos["private_passed"][0]))
