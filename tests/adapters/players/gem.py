"""Through ``gem.make``; a filter brings the case's problem up."""

import gem
from played import ENV_ID, Case, Played

import codefeedback_env.adapters.gem  # noqa: F401 - registers the environments
from codefeedback_env import ProblemFilter


def play(case: Case) -> Played:
    only = ProblemFilter(ids=(case.problem_id,))
    env = gem.make(f"codefeedback:{ENV_ID}", problem_filter=only)
    message, info = env.reset(seed=0)
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
