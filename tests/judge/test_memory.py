"""Reports that are remembered, and the order that earlier failures suggest."""

import pickle

import pytest
from examples import ADD, ADD_WRONG, add_problem
from test_judge import ALL_POOLS, packed, submit

from codefeedback_env import Submission, TestCase, TestReport, TestResult, Verdict
from codefeedback_env.judge.memory import ProblemMemory, ReportMemory, is_repeatable
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage
from codefeedback_env.problem import Pool, Problem

PROBLEM = PackedProblem(b"key", b"", 1.0)
PLAN = Plan()


def report(**result: object) -> JudgeReport:
    results = (TestResult(**{"index": 0, "verdict": Verdict.ACCEPTED, **result}),)
    part = TestReport(pool=Pool.PUBLIC, num_tests=1, results=results)
    return JudgeReport(compiled=True, compile_error="", reports={Pool.PUBLIC: part})


def test_same_program_same_problem_same_plan_is_remembered():
    memory = ReportMemory(10)
    key = memory.key(PROBLEM, b"x", PLAN)
    memory.keep(key, report())
    assert memory.find(memory.key(PROBLEM, b"x", PLAN)) == report()
    other = PackedProblem(b"other", b"", 1.0)
    stages = Plan(stages=(Stage(pool=Pool.PUBLIC),))
    for stranger in (
        memory.key(other, b"x", PLAN),
        memory.key(PROBLEM, b"y", PLAN),
        memory.key(PROBLEM, b"x", stages),
    ):
        assert memory.find(stranger) is None


@pytest.mark.parametrize(
    "result",
    [
        {"verdict": Verdict.TIME_LIMIT},
        {"cpu_time_s": 0.6},
        {"wall_time_s": 0.6},
        {"stdout": "x" * 20_000},
    ],
)
def test_times_near_the_limit_and_long_outputs_are_not_remembered(result):
    assert not is_repeatable(report(**result), 1.0)
    assert is_repeatable(report(cpu_time_s=0.4, wall_time_s=0.4, stdout="x" * 200), 1.0)


def test_memory_is_bounded_and_forgets_what_nobody_asked_for():
    memory = ReportMemory(2)
    keys = [memory.key(PROBLEM, source, PLAN) for source in (b"a", b"b", b"c")]
    memory.keep(keys[0], report())
    memory.keep(keys[1], report())
    assert memory.find(keys[0]) is not None
    memory.keep(keys[2], report())
    assert [memory.find(key) is not None for key in keys] == [True, False, True]


def test_memory_of_size_nought_keeps_nothing():
    memory = ReportMemory(0)
    key = memory.key(PROBLEM, b"x", PLAN)
    memory.keep(key, report())
    assert memory.find(key) is None


def test_packed_problems_are_remembered_up_to_a_size_and_a_copy_is_empty():
    problem = add_problem()
    memory = ProblemMemory(max_bytes=10)
    five, ten, eleven = (PackedProblem(b"key", b"x" * size, 1.0) for size in (5, 10, 11))
    memory.keep("a", problem, five)
    memory.keep("b", problem, five)
    assert memory.find("a") == memory.find("b") == (problem, five)
    assert pickle.loads(pickle.dumps(memory)).find("a") is None
    memory.keep("too large", problem, eleven)
    assert memory.find("too large") is None
    assert memory.find("a") is not None
    memory.keep("c", problem, ten)  # no room for it beside the others
    assert [memory.find(name) is not None for name in "abc"] == [False, False, True]


@pytest.mark.sandbox
def test_second_judging_of_a_program_gives_the_same_report_at_once(judge):
    source = ADD + "\n# judged twice"
    first = submit(judge, source).result()
    again = submit(judge, source)
    assert again.done()
    assert again.result() == first


@pytest.mark.sandbox
def test_tests_that_failed_before_come_first_and_the_verdict_stays(judge):
    tests = tuple(TestCase(f"{i}\n", f"{i}\n") for i in range(60))
    problem = Problem(id="echo", statement="", private_tests=tests, time_limit_s=2.0)
    plan = Plan(stages=(Stage(pool=Pool.PRIVATE, max_failures=1, in_any_order=True),))

    def num_run(source: str) -> int:
        report = judge.judge(packed(problem), Submission("python3", source), plan)
        part = report.reports[Pool.PRIVATE]
        assert part.first_failure.index == 55
        assert part.verdict is Verdict.WRONG_ANSWER
        return len(part.results)

    sources = [f"x = input()\nprint(0 if x == '55' else x)  # {i}" for i in range(6)]
    counts = [num_run(source) for source in sources]
    assert counts[0] == 56
    # Each of the judge's two workers learns for itself, from one submission.
    assert counts.count(1) >= len(sources) - 2
    right = judge.judge(packed(problem), Submission("python3", "print(input())"), plan)
    assert right.all_passed
    assert [result.index for result in right.reports[Pool.PRIVATE].results] == list(range(60))


@pytest.mark.sandbox
def test_fixed_order_stays_fixed_whatever_failed_before(judge):
    for _ in range(3):
        assert submit(judge, ADD_WRONG, ALL_POOLS).result().reports[Pool.PUBLIC].verdict is (
            Verdict.WRONG_ANSWER
        )
    plan = Plan(stages=(Stage(pool=Pool.PUBLIC, max_failures=1),))
    public = submit(judge, ADD_WRONG, plan).result().reports[Pool.PUBLIC]
    assert [result.index for result in public.results] == [0, 1]
    assert add_problem().public_tests[1].expected_stdout == "4\n"
