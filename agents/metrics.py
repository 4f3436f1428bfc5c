"""How well an agent does, from which of its rollouts solved their problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Solved = Sequence[Sequence[bool]]
"""For each problem, which of its rollouts solved it; at least one rollout each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a solve rate lies with 95% confidence."""

    low: float
    high: float
    resampled: Literal["rollouts", "problems"]
    """What was drawn anew: the interval says nothing on any other source of chance."""


def n_at_k(
    num_samples: int, num_public_passing: int, num_all_passing: int, n: int, k: int
) -> float:
    """Probability that n of k samples, chosen by the public tests, solve one problem.

    Of the samples at hand, k are drawn without replacement; of those that pass the public tests, up
    to n are drawn and submitted; the problem is solved if one of them passes all tests.

    Args:
        num_samples: programs sampled for the problem.
        num_public_passing: how many of them pass the public tests.
        num_all_passing: how many of those pass all tests.
        n: submissions, in [1, k].
        k: samples drawn, in [1, num_samples].

    Returns:
        The exact expectation of the estimator, in [0, 1].

    Raises:
        ValueError: the numbers do not fit.

    Source: Li et al. 2022, arXiv:2203.07814, appendix A.3, which estimates it by simulation.
    """
    if not 0 <= num_all_passing <= num_public_passing <= num_samples:
        raise ValueError(
            f"{num_all_passing} samples pass all tests, {num_public_passing} the public ones, of "
            f"{num_samples}: these must not decrease."
        )
    if not 1 <= n <= k <= num_samples:
        raise ValueError(f"n={n} and k={k} must satisfy 1 <= n <= k <= {num_samples} samples.")
    num_failing = num_samples - num_public_passing
    num_wrong = num_public_passing - num_all_passing
    probability = 0.0
    for num_candidates in range(max(0, k - num_failing), min(num_public_passing, k) + 1):
        # Integers up to the last division: the binomials of a few hundred samples exceed a float.
        num_draws = comb(num_public_passing, num_candidates) * comb(num_failing, k - num_candidates)
        num_submitted = min(n, num_candidates)
        num_choices = comb(num_public_passing, num_submitted)
        num_solving = num_choices - comb(num_wrong, num_submitted)
        probability += num_draws * num_solving / (comb(num_samples, k) * num_choices)
    return probability


def one_at_three(solved: Solved) -> float:
    """The share of a problem's rollouts that solve it, averaged over problems.

    A rollout of up to three replies is three samples of which the last is submitted, so this is
    1@3, and with another turn limit T it is 1@T.
    """
    return float(_solve_rates(solved).mean())


def solved_within(solved_in_turn: Sequence[Sequence[int | None]], turn_limit: int) -> list[float]:
    """The share of rollouts that solved their problem in turn 1, up to turn 2 and so on.

    Args:
        solved_in_turn: for each problem and rollout the turn, from 1 on, of the right program; None
            for rollouts that failed.
        turn_limit: how many numbers to return.

    Returns:
        Averages over problems, which do not decrease; the last is 1@T.
    """
    return [
        one_at_three([[t is not None and t <= limit for t in turns] for turns in solved_in_turn])
        for limit in range(1, turn_limit + 1)
    ]


def bootstrap_interval(solved: Solved, *, num_resamples: int = 200, seed: int = 0) -> Interval:
    """The 95% interval of ``one_at_three``: percentiles over resampled rollouts.

    Resampling the only rollout of every problem changes nothing. So where no problem has two, the
    problems are resampled, and the interval is about other problems instead of other rollouts.

    Source: Gehring et al. 2025, appendix B.1.
    """
    rates = _solve_rates(solved)
    num_rollouts = np.array([len(rollouts) for rollouts in solved])
    random = np.random.default_rng(seed)
    size = (num_resamples, len(rates))
    if num_rollouts.max() > 1:
        # Of K rollouts drawn with replacement, a binomial number is from those that solved.
        resampled = (random.binomial(num_rollouts, rates, size=size) / num_rollouts).mean(axis=1)
    else:
        resampled = rates[random.integers(len(rates), size=size)].mean(axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(
        low=float(low),
        high=float(high),
        resampled="rollouts" if num_rollouts.max() > 1 else "problems",
    )


def _solve_rates(solved: Solved) -> NDArray[np.float64]:
    if not len(solved) or not all(len(rollouts) for rollouts in solved):
        raise ValueError("there must be at least one problem, and one rollout of each.")
    return np.array([sum(rollouts) / len(rollouts) for rollouts in solved], dtype=np.float64)
