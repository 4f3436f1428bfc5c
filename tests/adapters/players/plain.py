"""The environment itself, through Gymnasium."""

import gymnasium
from played import ENV_ID, Case, Played


def play(case: Case) -> Played:
    env = gymnasium.make(ENV_ID)
    message, info = env.reset(seed=0, options={"problem": case.problem_id})
    messages, rewards, is_over = [message], [], False
    for reply in case.replies:
        assert not is_over
        message, reward, terminated, truncated, info = env.step(reply)
        is_over = terminated or truncated
        rewards.append(float(reward))
        if not is_over:
            messages.append(message)
    assert terminated
    env.close()
    return Played(tuple(messages), tuple(rewards), info["private_passed"])
