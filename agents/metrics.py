"""How well an agent does, from which of its rollouts solved their problem."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codefeedback_env import EndedBy, Episode, Turn, Verdict

Solved = Sequence[Sequence[bool]]
"""For each problem, which of its rollouts solved it; at least one rollout each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a solve rate lies with 95% confidence."""

    low: float
    high: float
    resampled: Literal["rollouts", "problems"]
    """What was drawn anew: the interval says nothing on any other source of chance."""


@dataclass(frozen=True, slots=True, order=True)
class Counts:
    """What became of the rollouts of one problem."""

    num_rollouts: int
    num_public_passing: int
    """Whose last program passes the public tests."""

    num_all_passing: int
    """Whose last program passes all tests."""

    def __add__(self, other: "Counts") -> "Counts":
        """Rollouts of both."""
        return Counts(
            self.num_rollouts + other.num_rollouts,
            self.num_public_passing + other.num_public_passing,
            self.num_all_passing + other.num_all_passing,
        )


@lru_cache(maxsize=1 << 16)
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


def pass_at_k(num_samples: int, num_passing: int, k: int) -> float:
    """Probability that one of k samples, drawn without replacement, solves a problem.

    Args:
        num_samples: drawn for the problem.
        num_passing: how many of them pass all tests.
        k: in [1, num_samples].

    Raises:
        ValueError: the numbers do not fit.

    Source: Chen et al. 2021, arXiv:2107.03374, equation 1.
    """
    if not 0 <= num_passing <= num_samples:
        raise ValueError(f"{num_passing} of {num_samples} samples cannot pass.")
    if not 1 <= k <= num_samples:
        raise ValueError(f"k={k} must be in [1, {num_samples}], the number of samples.")
    return 1.0 - comb(num_samples - num_passing, k) / comb(num_samples, k)


def rollouts_within(k: int, turn_limit: int) -> int:
    """How many rollouts a budget of k replies is; early stops give nothing back.

    Source: Gehring et al. 2025, section 3.1: 33 rollouts of three turns for 10@100.
    """
    return k // turn_limit


def n_at_k_of_rollouts(counts: Counts, n: int, k: int, turn_limit: int) -> float:
    """n@k of one problem where a sample is a rollout of up to ``turn_limit`` replies.

    Args:
        counts: of the problem's rollouts.
        n: submissions, at most as many as there are rollouts in the budget.
        k: budget in replies, at least ``turn_limit``.
        turn_limit: replies that each rollout may take.

    Raises:
        ValueError: the budget is too small for a rollout, or larger than the rollouts at hand.
    """
    draws = rollouts_within(k, turn_limit)
    if not 1 <= draws <= counts.num_rollouts:
        raise ValueError(
            f"a budget of {k} replies is {draws} rollouts of {turn_limit} turns, but it must be "
            f"1 to {counts.num_rollouts}, the rollouts at hand."
        )
    return n_at_k(
        counts.num_rollouts,
        counts.num_public_passing,
        counts.num_all_passing,
        min(n, draws),
        draws,
    )


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


def resample(counts: Sequence[Counts], random: np.random.Generator) -> list[Counts]:
    """As many rollouts of each problem, drawn anew from its own with replacement.

    Where no problem has two rollouts, problems are drawn instead; see ``bootstrap_interval``.
    """
    if max(count.num_rollouts for count in counts) == 1:
        return [counts[position] for position in random.integers(len(counts), size=len(counts))]
    numbers = np.array([count.num_rollouts for count in counts])
    kinds = np.array(
        [
            [
                count.num_all_passing,
                count.num_public_passing - count.num_all_passing,
                count.num_rollouts - count.num_public_passing,
            ]
            for count in counts
        ]
    )
    drawn = random.multinomial(numbers, kinds / numbers[:, None]).tolist()
    return [
        Counts(number, solving + wrong, solving)
        for number, (solving, wrong, _) in zip(numbers.tolist(), drawn, strict=True)
    ]


def interval_of(
    estimate: Callable[..., float],
    *groups: Sequence[Counts],
    num_resamples: int = 200,
    seed: int = 0,
) -> Interval:
    """The 95% interval of any estimate that is made from counts, by bootstrap.

    Args:
        estimate: of one list of counts for each of ``groups``.
        groups: counts of the problems in each condition, which are resampled independently.
        num_resamples: of the bootstrap.
        seed: of the resampling.

    Source: Gehring et al. 2025, appendix B.1, for 1@3.
    """
    random = np.random.default_rng(seed)
    values = [
        estimate(*(resample(counts, random) for counts in groups)) for _ in range(num_resamples)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    is_single = max(count.num_rollouts for counts in groups for count in counts) == 1
    return Interval(
        low=float(low), high=float(high), resampled="problems" if is_single else "rollouts"
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
        self.num_invalid_replies += sum(invalid_replies(episode))

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


def invalid_replies(episode: Episode) -> list[bool]:
    """Which replies of an episode have no program, or one that does not compile.

    Where a reply's program ran on no public test, only its penalty tells.
    """
    last = episode.turns[-1]
    return [
        turn.submission is None
        or (turn is not last and turn.reward < 0)
        or (turn.public_report is not None and turn.public_report.verdict is Verdict.COMPILE_ERROR)
        for turn in episode.turns
    ]


class TurnOutcome(StrEnum):
    """How a reply did on the public tests: the paper's four kinds of error, and the rest."""

    OUTPUT = "OUTPUT"
    EXCEPTION = "EXCEPTION"
    TIMEOUT = "TIMEOUT"
    OOM = "OOM"
    NO_CODE = "NO CODE"
    NOT_RUN = "NOT RUN"
    """The tests were not run, as on replies before the last under feedback "none"."""

    PASSED = "PASSED"


_OUTCOMES = {
    Verdict.SECURITY_VIOLATION: TurnOutcome.EXCEPTION,
    Verdict.TIME_LIMIT: TurnOutcome.TIMEOUT,
    Verdict.MEMORY_LIMIT: TurnOutcome.OOM,
    Verdict.OUTPUT_LIMIT: TurnOutcome.OUTPUT,
    Verdict.COMPILE_ERROR: TurnOutcome.EXCEPTION,  # a stack trace in the paper's feedback too
    Verdict.RUNTIME_ERROR: TurnOutcome.EXCEPTION,
    Verdict.WRONG_ANSWER: TurnOutcome.OUTPUT,
    Verdict.ACCEPTED: TurnOutcome.PASSED,
}


def turn_outcome(turn: Turn) -> TurnOutcome:
    """How one reply did: of the failing public tests the first one counts."""
    if turn.submission is None:
        return TurnOutcome.NO_CODE
    verdict = None if turn.public_report is None else turn.public_report.verdict
    return TurnOutcome.NOT_RUN if verdict is None else _OUTCOMES[verdict]


@dataclass(slots=True)
class Transitions:
    """How replies did, turn by turn, and what became of their errors.

    Source: Gehring et al. 2025, figure 3, which counts errors in turn 1 and errors that are fixed
    in turns 2 and 3.
    """

    outcomes: list[dict[TurnOutcome, int]] = field(default_factory=list)
    """Of each turn, how many replies did how."""

    changes: list[dict[tuple[TurnOutcome, TurnOutcome], int]] = field(default_factory=list)
    """From each turn to the next, how many replies went from one outcome to another."""

    def add(self, turns: Sequence[Turn]) -> None:
        """Count the turns of an episode."""
        found = [turn_outcome(turn) for turn in turns]
        while len(self.outcomes) < len(found):
            self.outcomes.append(defaultdict(int))
            self.changes.append(defaultdict(int))
        for number, outcome in enumerate(found):
            self.outcomes[number][outcome] += 1
        for number, change in enumerate(pairwise(found)):
            self.changes[number][change] += 1

    def fixed(self, turn: int) -> dict[TurnOutcome, int]:
        """Errors of the turn before that ``turn``, from 2 on, has not any more, by their kind."""
        changes = self.changes[turn - 2]
        return {
            before: changes[before, TurnOutcome.PASSED]
            for before in TurnOutcome
            if (before, TurnOutcome.PASSED) in changes
            and before not in (TurnOutcome.PASSED, TurnOutcome.NOT_RUN)
        }


@dataclass(slots=True)
class Edits:
    """How much programs differ from those of the turn before."""

    distances: list[float] = field(default_factory=list)
    """1 - similarity of each pair, in [0, 1]; empty without a measure of similarity."""

    num_pairs: int = 0
    num_identical: int = 0

    def add(
        self, turns: Sequence[Turn], similarity: Callable[[str, str], float] | None = None
    ) -> None:
        """Count the pairs of successive replies of an episode that both have a program.

        Args:
            turns: of the episode.
            similarity: of a program to the one before, in [0, 1]; in the paper chrF.
        """
        for before, after in pairwise(turns):
            if before.submission is None or after.submission is None:
                continue
            old, new = before.submission.source_code, after.submission.source_code
            self.num_pairs += 1
            self.num_identical += old == new
            if similarity is not None:
                self.distances.append(1.0 - similarity(new, old))


def histogram(distances: Sequence[float], num_bins: int) -> list[float]:
    """The share of distances in each of ``num_bins`` equal parts of [0, 1], which sum up to 1.

    Source: Gehring et al. 2025, figure 3, of 1 - chrF between successive programs.
    """
    counts, _ = np.histogram(np.clip(distances, 0.0, 1.0), bins=num_bins, range=(0.0, 1.0))
    return [float(count) / len(distances) for count in counts]


def rollout_counts(episode: Episode) -> Counts:
    """A rollout by its last reply, which is the one that is submitted."""
    passes_public = turn_outcome(episode.turns[-1]) is TurnOutcome.PASSED
    return Counts(1, int(passes_public), int(episode.private_passed))


def first_reply_counts(episode: Episode) -> Counts | None:
    """The first reply of a rollout, as a sample of its own.

    A first reply that passes the public tests ended its episode, so it is known whether it passes
    all.

    Returns:
        None where first replies were not run, or did not end the episode though they passed.

    Source: Gehring et al. 2025, appendix B.1: single-turn 1@3 of models trained for several turns.
    """
    outcome = turn_outcome(episode.turns[0])
    passed = outcome is TurnOutcome.PASSED
    if outcome is TurnOutcome.NOT_RUN or (passed and len(episode.turns) > 1):
        return None
    return Counts(1, int(passed), int(passed and episode.private_passed))


def _solve_rates(solved: Solved) -> NDArray[np.float64]:
    if not len(solved) or not all(len(rollouts) for rollouts in solved):
        raise ValueError("there must be at least one problem, and one rollout of each.")
    return np.array([sum(rollouts) / len(rollouts) for rollouts in solved], dtype=np.float64)
