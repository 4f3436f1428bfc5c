import numpy as np
import pytest

from agents.metrics import (
    Tally,
    bootstrap_interval,
    invalid_replies,
    n_at_k,
    one_at_three,
    solved_within,
)
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


def episode(
    *verdicts: Verdict | None,
    passed: bool = False,
    problem_id: str = "a",
    ended_by: EndedBy = EndedBy.TURN_LIMIT,
) -> Episode:
    """One with a turn for each verdict on its public test; None for a reply without code."""
    turns = []
    for number, verdict in enumerate(verdicts, start=1):
        is_last = number == len(verdicts)
        invalid = verdict in (None, Verdict.COMPILE_ERROR)
        result = None if verdict is None else (TestResult(index=0, verdict=verdict),)
        turns.append(
            Turn(
                reply="",
                submission=None if result is None else Submission("python3", ""),
                public_report=result and TestReport(pool=Pool.PUBLIC, num_tests=1, results=result),
                feedback="",
                reward=(1.0 if passed else -1.0) if is_last else -0.2 if invalid else 0.0,
            )
        )
    return Episode(
        problem_id=problem_id,
        seed=0,
        prompt="",
        turns=tuple(turns),
        reward=sum(turn.reward for turn in turns),
        private_passed=passed,
        ended_by=ended_by,
    )


@pytest.mark.parametrize(
    ("counts", "n", "k", "expected"),
    [
        # 4 samples, 2 pass public tests, 1 passes all. Two are drawn, with none, one or both of the
        # 2 candidates in C(2,0)C(2,2) = 1, C(2,1)C(2,1) = 4 and C(2,2)C(2,0) = 1 of 6 cases.
        # One submission out of one or two candidates is right half the time: 5/6 * 1/2.
        ((4, 2, 1), 1, 2, 5 / 12),
        # Two submissions: with both candidates drawn both are submitted: 4/6 * 1/2 + 1/6 * 1.
        ((4, 2, 1), 2, 2, 1 / 2),
        # One sample: it is the right one of 4.
        ((4, 2, 1), 1, 1, 1 / 4),
        # All samples drawn: one submission out of 2 candidates.
        ((4, 2, 1), 1, 4, 1 / 2),
        # The public tests single out the right one: solved if it is among the 3 of 5 drawn.
        ((5, 1, 1), 1, 3, 3 / 5),
        # As many submissions as draws, all samples candidates: 1 - C(3,2)/C(5,2) = 1 - 3/10.
        ((5, 5, 2), 2, 2, 7 / 10),
        ((5, 3, 0), 2, 4, 0.0),
        ((5, 0, 0), 2, 4, 0.0),
        ((5, 5, 5), 1, 1, 1.0),
    ],
)
def test_n_at_k_of_worked_examples(
    counts: tuple[int, int, int], n: int, k: int, expected: float
) -> None:
    assert n_at_k(*counts, n, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "n", "k"), [((30, 12, 5), 3, 10), ((30, 3, 2), 10, 20), ((20, 19, 1), 2, 6)]
)
def test_n_at_k_agrees_with_drawing_the_samples(
    counts: tuple[int, int, int], n: int, k: int
) -> None:
    num_samples, num_public_passing, num_all_passing = counts
    random = np.random.default_rng(0)
    num_trials = 20_000
    # Sample i passes the public tests if i < num_public_passing, all if i < num_all_passing. A
    # random order of all: the first k are drawn, the first n candidates among those submitted.
    orders = random.permuted(np.tile(np.arange(num_samples), (num_trials, 1)), axis=1)[:, :k]
    is_candidate = orders < num_public_passing
    is_submitted = is_candidate & (is_candidate.cumsum(axis=1) <= n)
    solved = (is_submitted & (orders < num_all_passing)).any(axis=1)
    error = 4 * np.sqrt(0.25 / num_trials)
    assert n_at_k(*counts, n, k) == pytest.approx(solved.mean(), abs=error)


def test_n_at_k_of_many_samples_does_not_overflow() -> None:
    # Of so many candidates the 10 submitted are nearly independent: 1 - (4/5)^10 = 0.8926.
    assert n_at_k(10_000, 5_000, 1_000, 10, 3_000) == pytest.approx(0.8926, abs=1e-3)


@pytest.mark.parametrize(
    ("counts", "n", "k"),
    [
        ((4, 5, 1), 1, 1),
        ((4, 1, 2), 1, 1),
        ((4, 2, -1), 1, 1),
        ((4, 2, 1), 0, 1),
        ((4, 2, 1), 2, 1),
        ((4, 2, 1), 1, 5),
    ],
)
def test_n_at_k_refuses_numbers_that_do_not_fit(
    counts: tuple[int, int, int], n: int, k: int
) -> None:
    with pytest.raises(ValueError, match="must"):
        n_at_k(*counts, n, k)


def test_one_at_three_weighs_problems_equally() -> None:
    # (1/4 + 1/1) / 2, although 2 of 5 rollouts solved.
    assert one_at_three([[True, False, False, False], [True]]) == 0.625


def test_one_at_three_is_n_at_k_with_one_rollout() -> None:
    # 3 of 7 rollouts solve, 5 pass the public tests: one rollout drawn, one submitted.
    assert one_at_three([[True] * 3 + [False] * 4]) == pytest.approx(n_at_k(7, 5, 3, 1, 1))


@pytest.mark.parametrize("solved", [[], [[True], []]])
def test_rates_need_a_rollout_of_each_problem(solved: list[list[bool]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        one_at_three(solved)


def test_solved_within_counts_up_over_turns() -> None:
    # Turn 1: (1/2 + 0/2) / 2; up to turn 2: (1/2 + 1/2) / 2; up to turn 3: (1/2 + 2/2) / 2.
    assert solved_within([[1, None], [2, 3]], turn_limit=3) == [0.25, 0.5, 0.75]


def test_the_interval_is_that_of_resampled_rollouts() -> None:
    solved = [[True] * 2 + [False] * 6, [True] * 7 + [False]]
    interval = bootstrap_interval(solved, num_resamples=20_000, seed=1)
    random = np.random.default_rng(2)
    rates = [random.choice(rollouts, size=(20_000, 8)).mean(axis=1) for rollouts in solved]
    low, high = np.percentile(np.mean(rates, axis=0), [2.5, 97.5])
    # Both are multiples of 1/16 and may fall on neighbours.
    assert interval.low == pytest.approx(low, abs=1 / 16)
    assert interval.high == pytest.approx(high, abs=1 / 16)
    assert interval.resampled == "rollouts"
    assert interval.low < one_at_three(solved) < interval.high


def test_with_one_rollout_of_each_problem_the_problems_are_resampled() -> None:
    solved = [[True]] * 50 + [[False]] * 50
    interval = bootstrap_interval(solved, num_resamples=2_000)
    assert interval.resampled == "problems"
    # Normal approximation: 0.5 -+ 1.96 * sqrt(0.25 / 100) = 0.5 -+ 0.098.
    assert interval.low == pytest.approx(0.402, abs=0.015)
    assert interval.high == pytest.approx(0.598, abs=0.015)


def test_the_interval_depends_on_the_seed_alone() -> None:
    solved = [[True, False, True], [False, False, True], [True, True, False]]
    assert bootstrap_interval(solved, seed=3) == bootstrap_interval(solved, seed=3)


def test_where_rollouts_agree_resampling_them_leaves_no_width() -> None:
    interval = bootstrap_interval([[True, True], [False, False]])
    assert (interval.low, interval.high) == (0.5, 0.5)


def test_a_tally_scores_episodes() -> None:
    tally = Tally(turn_limit=3)
    wrong, right = Verdict.WRONG_ANSWER, Verdict.ACCEPTED
    tally.add(episode(right, passed=True))
    tally.add(episode(right))  # hidden tests failed
    tally.add(episode(None, wrong, right, passed=True, problem_id="b"))
    scores = tally.scores(seed=0)
    assert (scores["num_problems"], scores["num_rollouts"]) == (2, 3)
    assert (scores["metric"], scores["solve_rate"]) == ("1@3", 0.75)
    assert scores["solved_within"] == [0.25, 0.25, 0.75]
    assert scores["mean_reward"] == pytest.approx((1 - 1 + 0.8) / 3)
    assert scores["invalid_reply_rate"] == pytest.approx(1 / 5)
    assert tally.rate_so_far == "66.7% solved"


def test_episodes_that_the_sandbox_failed_are_counted_and_not_scored() -> None:
    tally = Tally(turn_limit=3)
    tally.add(episode(Verdict.ACCEPTED, passed=True))
    tally.add(episode(None, problem_id="b", ended_by=EndedBy.SANDBOX_FAILURE))
    scores = tally.scores(seed=0)
    assert (scores["num_sandbox_failures"], scores["num_rollouts"]) == (1, 1)
    assert (scores["num_problems"], scores["solve_rate"]) == (1, 1.0)


def test_a_tally_of_nothing_has_no_solve_rate() -> None:
    scores = Tally(turn_limit=3).scores(seed=0)
    assert scores["num_rollouts"] == 0
    assert scores["solve_rate"] is None


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR), 0),
        ((None, Verdict.WRONG_ANSWER, None), 2),
        ((Verdict.COMPILE_ERROR, Verdict.ACCEPTED), 1),
        ((Verdict.COMPILE_ERROR,), 1),
    ],
)
def test_replies_without_a_program_that_compiles_are_invalid(
    verdicts: tuple[Verdict | None, ...], expected: int
) -> None:
    assert sum(invalid_replies(episode(*verdicts))) == expected
