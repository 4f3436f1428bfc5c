"""The environment in TRL's ``GRPOTrainer``: ``rollout_func`` and ``environment_factory``.

``DialogueRollout`` plays the dialogue of RLEF in plain text; ``submit_environment`` makes the
environment a tool. The trainer brings the tokenizer and the generation, so nothing of TRL is
imported. Written for TRL 1.16.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from codefeedback_env.adapters.environments import make_environment
from codefeedback_env.adapters.trl_rollout import DialogueRollout
from codefeedback_env.adapters.trl_tool import SubmitEnvironment, submit_environment

__all__ = [
    "DialogueRollout",
    "SubmitEnvironment",
    "episode_reward",
    "prompt_rows",
    "submit_environment",
]


def prompt_rows(
    env_id: str = "CodeContests-v0", *, system: str | None = None, **options: Any
) -> list[dict[str, Any]]:
    """Rows of a data set for either hook, one for each problem: no tests are in them.

    Args:
        env_id: a registered environment.
        system: a message put before each problem.
        options: of ``gymnasium.make``, the same that the hook gets.

    Returns:
        For each problem ``problem_id`` and ``prompt``, a list of messages. The problem's message
        carries the id, too, for TRL gives nothing but the prompt to a ``rollout_func``.
    """
    before = [] if system is None else [{"role": "system", "content": system, "problem_id": None}]
    rows = []
    with closing(make_environment(env_id, **options)) as env:
        for problem_id in env.rules.problems.ids:
            text, _ = env.reset(options={"problem": problem_id})
            message = {"role": "user", "content": text, "problem_id": problem_id}
            rows.append({"prompt": [*before, message], "problem_id": problem_id})
    return rows


def episode_reward(
    episode_reward: Sequence[float | None],
    private_passed: Sequence[bool | None],
    log_metric: Any = None,
    **columns: Any,
) -> list[float | None]:
    """The ``reward_funcs`` that goes with a ``DialogueRollout``.

    Args:
        episode_reward: of each episode; None where it is dropped, which TRL leaves out of the
            group's mean and gives the advantage 0.
        private_passed: whether all tests were passed; their share is logged as ``solved``.
        log_metric: TRL's.
        columns: everything else that TRL passes to reward functions.
    """
    known = [float(passed) for passed in private_passed if passed is not None]
    if log_metric is not None and known:
        log_metric("solved", sum(known) / len(known))
    return list(episode_reward)
