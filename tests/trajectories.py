"""Episodes of random tokens, for tests of what is computed from them."""

from collections.abc import Sequence

import numpy as np

from agents.trajectory import Trajectory, TurnTokens


def turn(prompt_ids: Sequence[int], reply_ids: Sequence[int]) -> TurnTokens:
    """A turn of these tokens, each reply token with log-probability -1."""
    return TurnTokens(
        prompt_ids=list(prompt_ids),
        reply_ids=list(reply_ids),
        reply_logprobs=[-1.0] * len(reply_ids),
        is_cut=False,
        weight_version=0,
    )


def trajectory(*turns: tuple[Sequence[int], Sequence[int]]) -> Trajectory:
    """An episode of turns given as prompt and reply."""
    return Trajectory(problem_id="p", seed=0, turns=[turn(*pair) for pair in turns])


def random_trajectories(
    lengths: Sequence[Sequence[tuple[int, int]]], *, vocabulary: int = 512, seed: int = 0
) -> list[Trajectory]:
    """For each episode the lengths of prompt and reply of each turn."""
    rng = np.random.default_rng(seed)

    def tokens(number: int) -> list[int]:
        drawn: list[int] = rng.integers(vocabulary, size=number).tolist()
        return drawn

    return [
        trajectory(*((tokens(prompt), tokens(reply)) for prompt, reply in turns))
        for turns in lengths
    ]


UNEVEN = (
    ((5, 7), (3, 4)),
    ((1, 1),),
    ((40, 30), (9, 25), (6, 17)),
    ((12, 2), (4, 6)),
    ((33, 28), (7, 29)),
)
"""Lengths from 2 to 127 tokens, one to three turns."""
