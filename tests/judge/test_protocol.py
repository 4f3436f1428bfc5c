"""What the judge's client and its workers say to each other, and what it costs the client."""

import pickle
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_judge import packed
from test_verdicts import RESULTS, TEXTS

from codefeedback_env import Submission, TestCase, TestReport, TestResult, Verdict
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import (
    JudgeReport,
    MessageReader,
    Plan,
    Stage,
    decode_plan,
    frame,
    pack_report,
    unpack_report,
)
from codefeedback_env.problem import Pool, Problem

STAGES = st.builds(
    Stage,
    pool=st.sampled_from(Pool),
    max_failures=st.none() | st.integers(1, 2**40),
    in_any_order=st.booleans(),
    keep_output=st.booleans(),
)
PLANS = st.builds(
    Plan,
    stages=st.lists(STAGES, max_size=4).map(tuple),
    stop_after_failed_pool=st.booleans(),
)
PARTS = st.builds(
    TestReport,
    pool=st.sampled_from(Pool),
    num_tests=st.integers(0, 2**40),
    results=st.lists(RESULTS, max_size=4).map(tuple),
)


def sent(report: JudgeReport) -> bytes:
    return frame(("report", 7, pack_report(report), True))


def received(data: bytes) -> JudgeReport:
    ((kind, number, report, may_keep),) = MessageReader().feed(data)
    assert (kind, number, may_keep) == ("report", 7, True)
    return unpack_report(report)


def plain_report(num_tests: int) -> JudgeReport:
    results = tuple(
        TestResult(index=i, verdict=Verdict.ACCEPTED, cpu_time_s=0.01 + i / 1e6, exit_code=0)
        for i in range(num_tests)
    )
    part = TestReport(pool=Pool.PRIVATE, num_tests=num_tests, results=results)
    return JudgeReport(compiled=True, compile_error="", reports={Pool.PRIVATE: part})


def least_cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Of all threads of this process, as answers are read by a thread of the judge's."""
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)


@given(PLANS)
def test_plans_survive_encoding(plan):
    assert decode_plan(plan.encoded) == plan
    assert decode_plan(plan.encoded).encoded == plan.encoded


@given(PLANS, PLANS)
def test_encodings_are_equal_where_plans_are(one, other):
    assert (one.encoded == other.encoded) == (one == other)


@given(st.booleans(), TEXTS, st.lists(PARTS, max_size=3, unique_by=lambda part: part.pool))
def test_reports_survive_the_journey(compiled, compile_error, parts):
    report = JudgeReport(
        compiled=compiled,
        compile_error=compile_error,
        reports={part.pool: part for part in parts},
    )
    copy = received(sent(report))
    assert copy.all_passed == report.all_passed
    assert list(copy.reports) == list(report.reports)
    assert copy == report


def test_reading_a_report_costs_a_fraction_of_making_its_results():
    report = plain_report(100)
    message, plain = sent(report), pickle.dumps(report)
    reading_s = least_cpu_s(lambda: [received(message).all_passed for _ in range(50)], 9)
    making_s = least_cpu_s(lambda: [pickle.loads(plain).all_passed for _ in range(50)], 9)
    assert reading_s < making_s / 4


@pytest.mark.sandbox
def test_caller_spends_less_on_a_submission_than_making_its_results_would_cost(judge):
    own = Judge(sandbox=judge.info().sandbox, num_workers=1, num_remembered=0)
    tests = tuple(TestCase("1\n", "1\n") for _ in range(300))
    task = packed(Problem(id="echo", statement="", private_tests=tests, time_limit_s=2.0))
    plan = Plan(stages=(Stage(pool=Pool.PRIVATE),))

    def judge_one() -> None:
        assert own.judge(task, Submission("python3", "print(input())"), plan).all_passed

    try:
        judge_one()  # ships the problem, too
        caller_s = least_cpu_s(judge_one, 3)
    finally:
        own.close()
    plain = pickle.dumps(plain_report(len(tests)))
    assert caller_s < least_cpu_s(lambda: pickle.loads(plain), 9)
