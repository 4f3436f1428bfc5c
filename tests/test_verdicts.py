"""Reports that make their results only when somebody reads them are like all others."""

import copy
import dataclasses
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefeedback_env import TestReport, TestResult, Verdict
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import pack_results, unpack_results

TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)  # surrogates too
TIMES = st.floats(min_value=0, allow_nan=False)
RESULTS = st.builds(
    TestResult,
    index=st.integers(0, 2**40),
    verdict=st.sampled_from(Verdict),
    stdout=TEXTS,
    stderr=TEXTS,
    cpu_time_s=TIMES,
    wall_time_s=TIMES,
    peak_memory_mib=TIMES,
    exit_code=st.none() | st.integers(-1, 255),
    signal=st.none() | st.integers(1, 64),
)
PASSED = TestResult(index=0, verdict=Verdict.ACCEPTED, stdout="é\n", cpu_time_s=0.5, exit_code=0)
FAILED = TestResult(index=1, verdict=Verdict.TIME_LIMIT, stderr="\udc80", signal=9)
PLAIN = TestReport(pool=Pool.PRIVATE, num_tests=3, results=(PASSED, FAILED))


def packed(report: TestReport = PLAIN) -> TestReport:
    return TestReport.from_packed(report.pool, report.num_tests, pack_results(report.results))


def is_packed(report: TestReport) -> bool:
    return report._packed is not None


@given(st.lists(RESULTS, max_size=8))
def test_results_survive_packing(results):
    assert unpack_results(pack_results(results)) == tuple(results)


def test_huge_outputs_and_times_that_are_no_numbers_survive_packing():
    huge = TestResult(
        index=0, verdict=Verdict.WRONG_ANSWER, stdout="é" * 5_000_000, cpu_time_s=float("nan")
    )
    (result,) = unpack_results(pack_results([huge]))
    assert result.stdout == huge.stdout
    assert result.cpu_time_s != result.cpu_time_s


@given(st.lists(RESULTS, max_size=8), st.integers(0, 9))
def test_packed_report_says_what_the_plain_one_says(results, num_tests):
    plain = TestReport(pool=Pool.PUBLIC, num_tests=num_tests, results=tuple(results))
    report = packed(plain)
    for name in ("verdict", "num_passed", "all_ran", "all_passed", "pass_fraction"):
        assert getattr(report, name) == getattr(plain, name)
    assert report.verdict_counts() == plain.verdict_counts()
    assert is_packed(report)
    assert report.first_failure == plain.first_failure
    assert report.results == plain.results


@pytest.mark.parametrize(
    "use",
    [
        lambda report: report,
        repr,
        hash,
        dataclasses.asdict,
        dataclasses.astuple,
        lambda report: dataclasses.replace(report, num_tests=7),
        lambda report: pickle.loads(pickle.dumps(report)),
        copy.copy,
        copy.deepcopy,
        lambda report: [field.name for field in dataclasses.fields(report)],
        lambda report: report.results[1].signal,
    ],
)
def test_packed_report_is_used_like_a_plain_one(use):
    assert use(packed()) == use(PLAIN)
    assert use(PLAIN) == use(packed())


def test_report_that_has_been_read_no_longer_holds_its_packed_form():
    report = packed()
    assert report.results is report.results
    assert not is_packed(report)
    assert report.verdict is Verdict.TIME_LIMIT


def test_packed_report_is_as_closed_as_a_plain_one():
    for report in (packed(), PLAIN):
        with pytest.raises(dataclasses.FrozenInstanceError):
            report.num_tests = 1
        with pytest.raises(AttributeError, match="nonsense"):
            _ = report.nonsense
        assert not hasattr(report, "__dict__")


def test_threads_may_read_a_packed_report_together():
    for _ in range(200):
        report = packed()
        start = threading.Barrier(4)
        seen: list[object] = []

        def read(report=report, start=start, seen=seen) -> None:
            start.wait()
            seen.append((report.results, report.verdict))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [(PLAIN.results, Verdict.TIME_LIMIT)] * 4
