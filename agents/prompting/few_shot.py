"""Examples first: trajectories of others that solved their problems after feedback.

Source: Gehring et al. 2025, arXiv:2410.02089, appendix C.3: successful trajectories of two and of
three attempts, in the dialogue of an instruct model, each followed by an empty message of the
assistant. How many, the paper does not say.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.generation.base import Message
from agents.prompting.task import Plan, Task
from codefeedback_env import ConfigError, Episode, read_episodes

ATTEMPTS = (2, 3)
SEPARATOR: Message = {"role": "assistant", "content": ""}
_SHOTS_STREAM = 9  # keeps the choice of examples apart from other uses of an episode's seed


def few_shot(task: Task, *, shots: Sequence[Episode], num_shots: int = 2) -> Plan:
    """Go on with the conversation, after examples that stay the same for the episode.

    Args:
        task: to reply to.
        shots: trajectories that may be shown; those on the same problem are not.
        num_shots: how many are, by turns of two and of three attempts.
    """
    entropy = (task.conversation.seed, _SHOTS_STREAM)
    random = np.random.default_rng(np.random.SeedSequence(entropy))
    others = [shot for shot in shots if shot.problem_id != task.conversation.problem_id]
    pools = [[shot for shot in others if len(shot.turns) == number] for number in ATTEMPTS]
    pools = [[pool[i] for i in random.permutation(len(pool))] for pool in pools if pool]
    messages: list[Message] = []
    for number in range(num_shots):
        if pools and (pool := pools[number % len(pools)]):
            messages += [*_as_messages(pool.pop()), SEPARATOR]
    return (yield from task.go_on(messages))


def read_shots(path: Path) -> list[Episode]:
    """The episodes of a file that were solved at the second or third attempt.

    Args:
        path: ``episodes.jsonl`` of an evaluation.

    Raises:
        ConfigError: there is no such file, or no such episode in it.
        RecordError: a line is no record.
    """
    try:
        shots = [
            episode
            for episode in read_episodes(path)
            if episode.private_passed and len(episode.turns) in ATTEMPTS
        ]
    except OSError as error:
        raise ConfigError(f"shots={str(path)!r} cannot be read: {error}.") from error
    if not shots:
        raise ConfigError(
            f"shots={str(path)!r} has no episode that was solved at the second or third attempt; "
            "play more of them."
        )
    return shots


def _as_messages(episode: Episode) -> list[Message]:
    messages = [{"role": "user", "content": episode.prompt}]
    for turn in episode.turns:
        messages.append({"role": "assistant", "content": turn.reply})
        messages.append({"role": "user", "content": turn.feedback})
    return messages[:-1]  # nothing is said after the last reply
