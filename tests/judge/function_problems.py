"""Problems that ask for a function, and judging programs on them."""

from dataclasses import dataclass
from typing import Any

from codefeedback_env import Submission, TestCase, Verdict
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import Plan, Stage, pack
from codefeedback_env.problem import FunctionStyle, FunctionTask, Pool, Problem


def call_problem(name: str, *tests: tuple[str, str], **options: Any) -> Problem:
    """Calls: arguments and what is to be returned."""
    return _problem(name, FunctionStyle.CALL, tuple(TestCase(*test) for test in tests), options)


def asserts_problem(name: str, *tests: str, **options: Any) -> Problem:
    """Test code."""
    return _problem(name, FunctionStyle.ASSERTS, tuple(TestCase(t, "") for t in tests), options)


def _problem(
    name: str, style: FunctionStyle, tests: tuple[TestCase, ...], options: dict[str, Any]
) -> Problem:
    limits = {"time_limit_s": options.pop("time_limit_s", 2.0), "memory_limit_mib": 256}
    rest = {key: options.pop(key) for key in ("id", "statement", "private_tests") if key in options}
    return Problem(
        **{"id": name, "statement": f"Write {name}.", "public_tests": tests, **limits, **rest},
        function=FunctionTask(name=name, style=style, **options),
    )


@dataclass(frozen=True)
class Judged:
    """How a program did on the public tests: verdicts, and what is shown as output and error."""

    verdicts: list[Verdict]
    stdout: list[str]
    stderr: list[str]


def judge_with(judge: Judge, problem: Problem, source: str, stop_early: bool = False) -> Judged:
    """Judge a program on the public tests."""
    stage = Stage(pool=Pool.PUBLIC, max_failures=1 if stop_early else None, keep_output=True)
    packed = pack(problem, judging=Judging.STRICT, checker=checker_for(problem, Judging.STRICT))
    report = judge.judge(packed, Submission("python3", source), Plan(stages=(stage,)))
    results = report.reports[Pool.PUBLIC].results
    return Judged(
        [result.verdict for result in results],
        [result.stdout for result in results],
        [result.stderr for result in results],
    )
