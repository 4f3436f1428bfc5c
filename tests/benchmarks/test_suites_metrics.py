"""The metrics of the suites against values worked out by hand, enumeration and simulation."""

import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from agents.metrics import (
    Counts,
    Edits,
    Transitions,
    TurnOutcome,
    first_reply_counts,
    histogram,
    interval_of,
    n_at_k,
    n_at_k_of_rollouts,
    pass_at_k,
    resample,
    rollout_counts,
    rollouts_within,
    turn_outcome,
)
from benchmarks.evaluation.bars import grouped
from benchmarks.evaluation.similarity import load_chrf
from codefeedback_env import (
    EndedBy,
    Episode,
    Pool,
    Submission,
    TestReport,
    TestResult,
    Turn,
    Verdict,
)

WRONG, RAISES, SLOW, GREEDY = (
    Verdict.WRONG_ANSWER,
    Verdict.RUNTIME_ERROR,
    Verdict.TIME_LIMIT,
    Verdict.MEMORY_LIMIT,
)
RIGHT = Verdict.ACCEPTED


def turn(verdict: Verdict | None, program: str | None = "x") -> Turn:
    report = None
    if verdict is not None:
        results = (TestResult(index=0, verdict=verdict),)
        report = TestReport(pool=Pool.PUBLIC, num_tests=1, results=results)
    submission = None if program is None else Submission("python3", program)
    return Turn(reply="", submission=submission, public_report=report, feedback="", reward=0.0)


def episode(turns: Sequence[Turn], *, solved: bool) -> Episode:
    return Episode(
        problem_id="p",
        seed=0,
        prompt="",
        turns=tuple(turns),
        reward=0.0,
        private_passed=solved,
        ended_by=EndedBy.TESTS_PASSED if solved else EndedBy.TURN_LIMIT,
    )


def test_pass_at_k_by_hand() -> None:
    # 2 of 5 pass; two draws miss both with probability 3/5 * 2/4 = 0.3.
    assert pass_at_k(5, 2, 2) == pytest.approx(0.7)
    assert pass_at_k(5, 2, 1) == pytest.approx(0.4)
    assert pass_at_k(5, 0, 5) == 0.0
    assert pass_at_k(5, 1, 5) == 1.0


@pytest.mark.parametrize("numbers", [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_pass_at_k_refuses_what_does_not_fit(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="5"):
        pass_at_k(*numbers)


def test_pass_at_k_is_n_at_k_where_everything_is_submitted() -> None:
    for passing in range(8):
        assert pass_at_k(7, passing, 3) == pytest.approx(n_at_k(7, 7, passing, 3, 3))


def test_a_hundred_replies_are_33_rollouts_of_three() -> None:
    assert rollouts_within(100, 3) == 33
    assert [rollouts_within(100, limit) for limit in (1, 5, 10)] == [100, 20, 10]


def test_one_at_three_of_rollouts_is_the_share_that_solves() -> None:
    # One rollout is drawn, and its last program submitted where it passes the public tests.
    assert n_at_k_of_rollouts(Counts(200, 90, 50), 1, 3, 3) == pytest.approx(0.25)


def test_n_at_k_of_rollouts_by_hand() -> None:
    # A budget of 6 replies is 2 of 4 rollouts; 1 is submitted. Rollouts: one solves (S), one only
    # passes the public tests (P), two fail (F). Of the 6 pairs, SF twice solves for sure, SP with
    # probability 1/2, and the other three (PF twice, FF) never: (2 + 1/2) / 6.
    assert n_at_k_of_rollouts(Counts(4, 2, 1), 1, 6, 3) == pytest.approx(2.5 / 6)
    # Both candidates may be submitted: SP solves too.
    assert n_at_k_of_rollouts(Counts(4, 2, 1), 2, 6, 3) == pytest.approx(3 / 6)
    # More submissions than rollouts in the budget are of no use.
    assert n_at_k_of_rollouts(Counts(4, 2, 1), 6, 6, 3) == pytest.approx(3 / 6)


@pytest.mark.parametrize("k", [2, 15])
def test_a_budget_must_be_of_one_to_all_rollouts(k: int) -> None:
    with pytest.raises(ValueError, match="rollouts of 3 turns"):
        n_at_k_of_rollouts(Counts(4, 2, 1), 1, k, 3)


def enumerated(counts: Counts, n: int, draws: int) -> float:
    """n@k by looking at every draw and every choice of what is submitted."""
    kinds = "S" * counts.num_all_passing
    kinds += "P" * (counts.num_public_passing - counts.num_all_passing)
    kinds += "F" * (counts.num_rollouts - counts.num_public_passing)
    values = []
    for drawn in combinations(kinds, draws):
        candidates = [kind for kind in drawn if kind != "F"]
        choices = list(combinations(candidates, min(n, len(candidates))))
        values.append(sum("S" in choice for choice in choices) / len(choices))
    return sum(values) / len(values)


@pytest.mark.parametrize("counts", [Counts(7, 4, 2), Counts(7, 7, 1), Counts(6, 3, 0)])
@pytest.mark.parametrize(("n", "draws"), [(1, 1), (1, 3), (2, 4), (3, 5)])
def test_n_at_k_agrees_with_enumeration(counts: Counts, n: int, draws: int) -> None:
    found = n_at_k_of_rollouts(counts, n, draws * 3 + 1, 3)
    assert found == pytest.approx(enumerated(counts, n, draws))


@pytest.mark.parametrize("counts", [Counts(200, 60, 15), Counts(200, 8, 1), Counts(200, 150, 2)])
def test_ten_at_a_hundred_agrees_with_the_simulation_of_alphacode(counts: Counts) -> None:
    """Li et al. 2022, appendix A.3: draw, keep what passes the public tests, submit at random."""
    random = np.random.default_rng(0)
    num_trials = 40_000
    failing = counts.num_rollouts - counts.num_public_passing
    candidates = random.hypergeometric(counts.num_public_passing, failing, 33, size=num_trials)
    wrong = counts.num_public_passing - counts.num_all_passing
    submitted = np.minimum(10, candidates)
    solving = random.hypergeometric(counts.num_all_passing, wrong, submitted)
    simulated = (solving > 0).mean()
    # Five standard errors of a share over the trials.
    error = 5 * 0.5 / np.sqrt(num_trials)
    assert n_at_k_of_rollouts(counts, 10, 100, 3) == pytest.approx(simulated, abs=error)


def test_the_interval_shrinks_with_the_rollouts_and_holds_the_estimate() -> None:
    def rate(counts: Sequence[Counts]) -> float:
        return float(np.mean([c.num_all_passing / c.num_rollouts for c in counts]))

    few = interval_of(rate, [Counts(10, 5, 5)] * 4)
    many = interval_of(rate, [Counts(1000, 500, 500)] * 4)
    assert few.low < many.low < 0.5 < many.high < few.high
    # The mean over 4 problems of 10 rollouts each at 1/2 has a standard error of 0.5 / sqrt(40).
    assert few.high - few.low == pytest.approx(2 * 1.96 * 0.5 / 40**0.5, rel=0.25)
    assert few.resampled == "rollouts"
    assert interval_of(rate, [Counts(1, 1, 1), Counts(1, 0, 0)]).resampled == "problems"


def test_resampling_keeps_rollouts_and_their_order_of_passing() -> None:
    drawn = resample([Counts(20, 10, 5), Counts(7, 0, 0)], np.random.default_rng(0))
    assert [count.num_rollouts for count in drawn] == [20, 7]
    assert 0 <= drawn[0].num_all_passing <= drawn[0].num_public_passing <= 20
    assert drawn[1] == Counts(7, 0, 0)


def test_the_interval_of_a_gap_is_of_both_conditions() -> None:
    def gap(first: Sequence[Counts], second: Sequence[Counts]) -> float:
        return first[0].num_all_passing / 100 - second[0].num_all_passing / 100

    found = interval_of(gap, [Counts(100, 80, 80)], [Counts(100, 30, 30)])
    # Standard error: sqrt(0.8 * 0.2 / 100 + 0.3 * 0.7 / 100) = 0.0608.
    assert found.low < 0.5 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.0608, rel=0.25)


@pytest.mark.parametrize(
    ("verdict", "program", "outcome"),
    [
        (WRONG, "x", TurnOutcome.OUTPUT),
        (Verdict.OUTPUT_LIMIT, "x", TurnOutcome.OUTPUT),
        (RAISES, "x", TurnOutcome.EXCEPTION),
        (Verdict.COMPILE_ERROR, "x", TurnOutcome.EXCEPTION),
        (SLOW, "x", TurnOutcome.TIMEOUT),
        (GREEDY, "x", TurnOutcome.OOM),
        (RIGHT, "x", TurnOutcome.PASSED),
        (None, "x", TurnOutcome.NOT_RUN),
        (None, None, TurnOutcome.NO_CODE),
    ],
)
def test_kinds_of_errors(verdict: Verdict | None, program: str | None, outcome: str) -> None:
    assert turn_outcome(turn(verdict, program)) is outcome


def test_errors_by_turn_and_what_became_of_them() -> None:
    counted = Transitions()
    for verdicts in ([WRONG, RIGHT], [WRONG, SLOW, RIGHT], [RAISES, RAISES, WRONG], [RIGHT]):
        counted.add([turn(verdict) for verdict in verdicts])
    first, second, third = counted.outcomes
    assert first == {TurnOutcome.OUTPUT: 2, TurnOutcome.EXCEPTION: 1, TurnOutcome.PASSED: 1}
    assert second == {
        TurnOutcome.PASSED: 1,
        TurnOutcome.TIMEOUT: 1,
        TurnOutcome.EXCEPTION: 1,
    }
    assert third == {TurnOutcome.PASSED: 1, TurnOutcome.OUTPUT: 1}
    assert counted.fixed(2) == {TurnOutcome.OUTPUT: 1}
    assert counted.fixed(3) == {TurnOutcome.TIMEOUT: 1}
    assert counted.changes[0][TurnOutcome.OUTPUT, TurnOutcome.TIMEOUT] == 1


def test_replies_that_were_not_run_are_not_fixed() -> None:
    counted = Transitions()
    counted.add([turn(None), turn(RIGHT)])
    assert counted.fixed(2) == {}


def test_identical_programs_and_distances() -> None:
    edits = Edits()
    programs = ["aa", "aa", "ab"]
    edits.add([turn(WRONG, text) for text in programs], lambda new, old: 1.0 if new == old else 0.4)
    edits.add([turn(WRONG, "aa"), turn(None, None), turn(WRONG, "aa")])
    assert (edits.num_pairs, edits.num_identical) == (2, 1)
    assert edits.distances == pytest.approx([0.0, 0.6])


def test_distances_are_spread_over_equal_parts() -> None:
    # Of five distances two are in [0, 0.25), none in the next quarter, one in the third, and 1
    # belongs to the last.
    assert histogram([0.0, 0.2, 0.5, 0.75, 1.0], 4) == [0.4, 0.0, 0.2, 0.4]


def test_bars_stand_side_by_side_and_are_as_high_as_their_shares() -> None:
    figure = grouped("t <b>", ["low", "high"], {"one": [0.5, 0.5], "<two>": [1.0, 0.0]})
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"><title>', figure)]
    assert len(heights) == 3  # a share of 0 has no bar
    assert heights[1] == pytest.approx(2 * heights[0])
    assert heights[0] == heights[2]
    assert "<b>" not in figure
    assert "<two>" not in figure


def test_first_replies_are_samples_of_their_own() -> None:
    solved = episode([turn(RIGHT)], solved=True)
    fooled = episode([turn(RIGHT)], solved=False)
    repaired = episode([turn(WRONG), turn(RIGHT)], solved=True)
    found = [first_reply_counts(each) for each in (solved, fooled, repaired)]
    assert found == [Counts(1, 1, 1), Counts(1, 1, 0), Counts(1, 0, 0)]
    assert rollout_counts(repaired) == Counts(1, 1, 1)
    assert rollout_counts(fooled) + rollout_counts(solved) == Counts(2, 2, 1)


def test_first_replies_that_ended_nothing_tell_nothing() -> None:
    assert first_reply_counts(episode([turn(None), turn(RIGHT)], solved=True)) is None
    assert first_reply_counts(episode([turn(RIGHT), turn(RIGHT)], solved=True)) is None


def test_chrf_of_equal_and_of_different_programs() -> None:
    pytest.importorskip("sacrebleu", reason="chrF needs the extra benchmarks")
    chrf = load_chrf()
    assert chrf("print(1)", "print(1)") == 1.0
    assert chrf("", "") == 1.0
    assert chrf("abc", "xyz") == 0.0
    # Both are 2 characters of which 1 is common, and no pair is: precision and recall are 1/2 of
    # single characters and 0 of pairs, 1/4 on average; longer ones do not exist.
    assert chrf("ab", "ac") == pytest.approx(0.25)
