"""What the sandboxes' throughput is measured on: programs, their tests, and who runs them."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.baselines import BASELINES, ForkFloor
from benchmarks.cpu_time import CpuMeter
from benchmarks.prime_code import Grade, PrimeCode, request_for
from benchmarks.processes import Memory
from codefeedback_env import Pool, Problem, ProblemSet, Submission, TestCase, Verdict
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.decide import decide
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import (
    DEFAULT_MEMORY_LIMIT_MIB,
    DEFAULT_TIME_LIMIT_S,
    Plan,
    Stage,
    pack,
)
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.sandbox.base import InputFile, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.interpreters import Interpreter

TOY = """\
import sys

def main():
    n = int(sys.stdin.readline())
    numbers = list(map(int, sys.stdin.readline().split()))
    print(sum(numbers) + n)

main()
"""
WRONG_TOY = TOY.replace("+ n", "- n")
LIMITS = Limits(cpu_time_s=10, memory_mib=256)
NUM_TESTS_OF_FAILING = 20
NUM_FORKS = 50
ZYGOTE_MODULES = (
    *("bisect", "collections", "ctypes", "heapq", "itertools", "math", "resource", "struct"),
    "types",
)
"""What a zygote has imported before the first program; for a floor of an interpreter as large."""

MIX_POOLS = (Pool.PUBLIC, Pool.PRIVATE)
SETTLE_S = 0.005  # what a killed process still does counts before the next reading of the clock
PER_TEST = "-per-test"
PRIME_CODE = "verl prime_code"


@dataclass(slots=True)
class Slice:
    """What one case did in its share of one round."""

    num_tests: int = 0
    num_submissions: int = 0
    cpu_s: float | None = None
    wall_s: float = 0.0


@dataclass(slots=True)
class Case:
    """Something that is measured against the others."""

    name: str
    tests_per_submission: int
    run_once: Callable[[list[float]], int]
    """Run one submission; appends the seconds each test took and returns how many there were."""

    whole_passes_of: int = 1
    """A slice ends only after a multiple of so many submissions, where these differ."""

    slices: list[Slice] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    def run_slice(self, seconds: float, meter: CpuMeter) -> None:
        """Run submissions for so long, and one pass at least."""
        done = Slice()
        time.sleep(SETTLE_S)
        cpu_before, start = meter.read_s(), time.perf_counter()
        while done.num_submissions % self.whole_passes_of or (
            not done.num_submissions or time.perf_counter() - start < seconds
        ):
            done.num_tests += self.run_once(self.latencies_s)
            done.num_submissions += 1
        done.wall_s = time.perf_counter() - start
        time.sleep(SETTLE_S)
        cpu_after = meter.read_s()
        if cpu_before is not None and cpu_after is not None:
            done.cpu_s = cpu_after - cpu_before
        self.slices.append(done)

    def rates(self) -> dict[str, Any]:
        """The medians over all slices, how far they lie apart, and how long a test took."""
        per_cpu_s = [s.num_tests / s.cpu_s for s in self.slices if s.cpu_s]
        per_wall_s = [s.num_tests / s.wall_s for s in self.slices]
        return {
            "tests_per_cpu_s": _rounded_median(per_cpu_s),
            "tests_per_wall_s": _rounded_median(per_wall_s),
            "tests_per_cpu_s_range": _range(per_cpu_s),
            "tests_per_wall_s_range": _range(per_wall_s),
            "num_submissions": sum(s.num_submissions for s in self.slices),
            "latency_ms": percentiles_ms(self.latencies_s),
        }

    def tests_per_cpu_s(self) -> float | None:
        """The median over all slices."""
        return _rounded_median([s.num_tests / s.cpu_s for s in self.slices if s.cpu_s])

    def cpu_ms_per_submission(self) -> float | None:
        """The median over all slices."""
        values = [1e3 * s.cpu_s / s.num_submissions for s in self.slices if s.cpu_s]
        return round(statistics.median(values), 3) if values else None


@dataclass(frozen=True, slots=True)
class Contender:
    """An open sandbox."""

    name: str
    sandbox: Sandbox
    interpreter: Interpreter
    memory: Memory
    """Of its own processes, after its first programs."""

    @property
    def has_zygote(self) -> bool:
        """Whether it forks tests instead of starting them."""
        return not self.name.endswith(PER_TEST) and self.name != "unsafe"


@dataclass(frozen=True, slots=True)
class MixProgram:
    """A real program with its tests and limits."""

    source: bytes
    limits: Limits
    tests: tuple[tuple[InputFile, bytes], ...]
    checker: Checker
    judging: Judging


def toy_tests(num_tests: int) -> list[tuple[InputFile, bytes]]:
    """So many different inputs of the toy program, with its answers."""
    tests = []
    for i in range(num_tests):
        tests.append((InputFile(b"%d\n1 2 3 4 5\n" % i), b"%d\n" % (15 + i)))
    return tests


def toy_case(contender: Contender, num_tests: int) -> Case:
    """A right toy program on all its tests."""
    tests = toy_tests(num_tests)
    inputs = [stdin for stdin, _ in tests]
    source = TOY.encode()

    def run_once(latencies_s: list[float]) -> int:
        runs = contender.sandbox.run(source, inputs, LIMITS)
        for (_, expected), run in zip(tests, _timed(runs, latencies_s), strict=True):
            if run.stdout != expected or run.exit_code != 0:
                raise RuntimeError(f"{contender.name} ran the toy program wrongly: {run}")
        return num_tests

    return Case(contender.name, num_tests, run_once)


def first_failure_case(contender: Contender) -> Case:
    """A wrong toy program: its first test fails, and nothing else is asked for."""
    tests = toy_tests(NUM_TESTS_OF_FAILING)[1:]  # the answer to the first one would be right
    inputs = [stdin for stdin, _ in tests]
    source = WRONG_TOY.encode()

    def run_once(latencies_s: list[float]) -> int:
        with contextlib.closing(contender.sandbox.run(source, inputs, LIMITS)) as runs:
            run = next(_timed(runs, latencies_s))
        if run.stdout == tests[0][1] or run.exit_code != 0:
            raise RuntimeError(f"{contender.name} ran the wrong program wrongly: {run}")
        return 1

    return Case(contender.name, len(tests), run_once)


def judge_case(judge: Judge, num_tests: int) -> Case:
    """The same as a whole reward function: by the judge, with a process of its own."""
    tests = toy_tests(num_tests)
    problem = Problem(
        id="toy",
        statement="Print the sum.",
        public_tests=tuple(
            TestCase(stdin.data.decode(), expected.decode()) for stdin, expected in tests
        ),
        time_limit_s=LIMITS.cpu_time_s,
        memory_limit_mib=LIMITS.memory_mib,
    )
    checker = checker_for(problem, Judging.STRICT)
    packed = pack(problem, judging=Judging.STRICT, checker=checker)
    plan = Plan(stages=(Stage(pool=Pool.PUBLIC, max_failures=1),))
    submission = Submission("python3", TOY)

    def run_once(_: list[float]) -> int:
        report = judge.judge(packed, submission, plan)
        if not report.all_passed or len(report.reports[Pool.PUBLIC].results) != num_tests:
            raise RuntimeError(f"the judge judged the toy program wrongly: {report}")
        return num_tests

    return Case(judge.settings.sandbox, num_tests, run_once)


def prime_code_case(prime_code: PrimeCode, num_tests: int) -> Case:
    """The right toy program on the same tests, by verl's reward function."""
    tests = [(stdin.data, expected) for stdin, expected in toy_tests(num_tests)]
    return _prime_code_case(prime_code, TOY, tests, Grade(all_passed=True, score=1.0))


def prime_code_failure_case(prime_code: PrimeCode) -> Case:
    """The wrong toy program: all tests up to the first failure, then the first ten one by one."""
    tests = [(stdin.data, expected) for stdin, expected in toy_tests(NUM_TESTS_OF_FAILING)[1:]]
    return _prime_code_case(prime_code, WRONG_TOY, tests, Grade(all_passed=False, score=0.0))


def _prime_code_case(
    prime_code: PrimeCode, source: str, tests: Sequence[tuple[bytes, bytes]], expected: Grade
) -> Case:
    request = request_for(source, tests)

    def run_once(_: list[float]) -> int:
        grade = prime_code.grade(request)
        if grade != expected:
            raise RuntimeError(f"prime_code gave {grade} instead of {expected}")
        return len(tests)

    return Case(PRIME_CODE, len(tests), run_once)


def mix_case(contender: Contender, mix: Sequence[MixProgram]) -> Case:
    """Real contest programs, one after the other, each on all its tests."""
    position = 0

    def run_once(latencies_s: list[float]) -> int:
        nonlocal position
        program = mix[position % len(mix)]
        position += 1
        runs = contender.sandbox.run(
            program.source, [stdin for stdin, _ in program.tests], program.limits
        )
        timed = _timed(runs, latencies_s)
        for (stdin, expected), run in zip(program.tests, timed, strict=True):
            verdict = decide(run, stdin.data, expected, program.checker, program.judging)
            if verdict is not Verdict.ACCEPTED:
                raise RuntimeError(f"{contender.name}: a reference program has {verdict.value}")
        return len(program.tests)

    num_tests = sum(len(program.tests) for program in mix)
    return Case(contender.name, round(num_tests / len(mix)), run_once, whole_passes_of=len(mix))


def baseline_cases(interpreter: Interpreter) -> list[Case]:
    """A new interpreter for each test, bare and in jails, started by nothing of ours."""
    ((stdin, expected),) = toy_tests(1)
    cases = []
    for find in BASELINES:
        command = find(interpreter, TOY)
        if command is None:
            continue

        def run_once(latencies_s: list[float], run: Callable[[int], bytes] = command.run) -> int:
            fd = stdin.open()
            try:
                start = time.perf_counter()
                output = run(fd)
                latencies_s.append(time.perf_counter() - start)
            finally:
                os.close(fd)
            if output != expected:
                raise RuntimeError(f"a baseline printed {output!r}")
            return 1

        cases.append(Case(command.name, 1, run_once))
    return cases


def floor_case(floor: ForkFloor) -> Case:
    """NUM_FORKS forks at a time."""

    def run_once(latencies_s: list[float]) -> int:
        floor.run(NUM_FORKS)
        return NUM_FORKS

    return Case("fork floor", NUM_FORKS, run_once)


def real_mix(problems: ProblemSet, num_problems: int | None) -> list[MixProgram]:
    """The first reference program of the first problems, with their public and private tests."""
    mix = []
    for problem_id in problems.ids[:num_problems]:
        problem = problems[problem_id]
        programs = problems.reference_programs(problem_id)
        tests = tuple(
            (InputFile(test.stdin.encode()), test.expected_stdout.encode())
            for pool in MIX_POOLS
            for test in problem.tests(pool)
        )
        if not programs or not tests:
            continue
        limits = Limits(
            cpu_time_s=problem.time_limit_s or DEFAULT_TIME_LIMIT_S,
            memory_mib=problem.memory_limit_mib or DEFAULT_MEMORY_LIMIT_MIB,
        )
        mix.append(
            MixProgram(
                source=programs[0].source_code.encode(),
                limits=limits,
                tests=tests,
                checker=checker_for(problem, Judging.STRICT),
                judging=Judging.STRICT,
            )
        )
    return mix


def _timed(
    runs: Generator[RunResult, None, None], latencies_s: list[float]
) -> Generator[RunResult, None, None]:
    """The same results; of each the seconds from the one before it, or from the start."""
    before = time.perf_counter()
    for run in runs:
        now = time.perf_counter()
        latencies_s.append(now - before)
        before = now
        yield run


def percentiles_ms(values_s: Sequence[float]) -> dict[str, float] | None:
    """Median and 99th percentile in milliseconds, None of nothing."""
    if not values_s:
        return None
    ordered = sorted(values_s)
    return {
        "p50": round(1e3 * ordered[len(ordered) // 2], 3),
        "p99": round(1e3 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 3),
    }


def _rounded_median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None


def _range(values: Sequence[float]) -> list[float] | None:
    return [round(min(values), 1), round(max(values), 1)] if values else None
