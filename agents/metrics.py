"""How well an agent does, from which of its rollouts solved their problem."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codefeedback_env import EndedBy, Episode, Verdict

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


@dataclass(slots=True)
class Tally:
    """What is kept of the episodes for the scores; the records themselves are large."""

    turn_limit: int
    solved_in_turn: dict[str, list[int | None]] = field(
        default_factory=lambda: defaultdict[str, list[int | None]](list)
    )
    """For each problem the turn in which each rollout solved it, None for those that did not."""

    rewards: list[float] = field(default_factory=list)
    num_replies: int = 0
    num_invalid_replies: int = 0
    num_sandbox_failures: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the records: dataset, limits, sandbox and so on."""

    def add(self, episode: Episode) -> None:
        """Count an episode; one that the sandbox failed is not scored."""
        self.settings = episode.settings
        if episode.ended_by is EndedBy.SANDBOX_FAILURE:
            self.num_sandbox_failures += 1
            return
        num_turns = len(episode.turns)
        turn = num_turns if episode.private_passed else None
        self.solved_in_turn[episode.problem_id].append(turn)
        self.rewards.append(episode.reward)
        self.num_replies += num_turns
        self.num_invalid_replies += num_invalid_replies(episode)

    @property
    def rate_so_far(self) -> str:
        """The share of the rollouts so far that solved their problem, as text."""
        solved = [turn is not None for turns in self.solved_in_turn.values() for turn in turns]
        return f"{np.mean(solved):.1%} solved" if solved else "none scored yet"

    def scores(self, seed: int) -> dict[str, Any]:
        """Everything measured, in JSON's types; None where no episode was scored."""
        turns = list(self.solved_in_turn.values())
        solved = [[turn is not None for turn in rollouts] for rollouts in turns]
        interval = bootstrap_interval(solved, seed=seed) if solved else None
        return {
            "num_problems": len(turns),
            "num_rollouts": len(self.rewards),
            "num_sandbox_failures": self.num_sandbox_failures,
            "metric": f"1@{self.turn_limit}",
            "solve_rate": one_at_three(solved) if solved else None,
            "interval_95": [interval.low, interval.high] if interval else None,
            "interval_resamples": interval.resampled if interval else None,
            "solved_within": solved_within(turns, self.turn_limit) if solved else None,
            "mean_reward": float(np.mean(self.rewards)) if solved else None,
            "invalid_reply_rate": self.num_invalid_replies / self.num_replies if solved else None,
        }


def num_invalid_replies(episode: Episode) -> int:
    """How many replies of an episode have no program, or one that does not compile.

    Where a reply's program ran on no public test, only its penalty tells.
    """
    last = episode.turns[-1]
    return sum(
        turn.submission is None
        or (turn is not last and turn.reward < 0)
        or (turn.public_report is not None and turn.public_report.verdict is Verdict.COMPILE_ERROR)
        for turn in episode.turns
    )


def _solve_rates(solved: Solved) -> NDArray[np.float64]:
    if not len(solved) or not all(len(rollouts) for rollouts in solved):
        raise ValueError("there must be at least one problem, and one rollout of each.")
    return np.array([sum(rollouts) / len(rollouts) for rollouts in solved], dtype=np.float64)
