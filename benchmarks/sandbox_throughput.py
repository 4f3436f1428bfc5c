"""``python -m benchmarks.sandbox_throughput``: tests per second of each sandbox.

One caller on one CPU runs programs through each sandbox in turn, again and again, so that a machine
that is busy for a while is busy for all of them; results are medians over the rounds. Rates are per
CPU second of everything involved, the caller included, and per second by the clock.

EXPECTED was written before the first measurement; a result names what missed it.
"""

import argparse
import contextlib
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.baselines import BASELINES, ForkFloor
from benchmarks.cpu_time import CpuMeter, cpu_meter
from benchmarks.processes import Memory, descendants, memory_of
from codefeedback_env import Pool, ProblemSet, SandboxUnavailableError, load_problems
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.decide import decide
from codefeedback_env.judge.protocol import DEFAULT_MEMORY_LIMIT_MIB, DEFAULT_TIME_LIMIT_S
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.sandbox.base import InputFile, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.catalog import SANDBOXES, open_sandbox
from codefeedback_env.sandbox.interpreters import Interpreter
from codefeedback_env.verdicts import Verdict

EXPECTED = {
    "share_of_fork_floor_at_20_tests": 0.45,
    "times_nsjail_per_test_at_20_tests": 10.0,
    "times_nsjail_per_test_at_1_test": 3.5,
    "first_failure_cpu_ms": 4.0,
}
"""At least, and for the first failure at most; of each sandbox with a zygote."""

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
class _MixProgram:
    source: bytes
    limits: Limits
    tests: tuple[tuple[InputFile, bytes], ...]
    checker: Checker
    judging: Judging


# --- Cases ---------------------------------------------------------------------------------------


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


def mix_case(contender: Contender, mix: Sequence[_MixProgram]) -> Case:
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


def real_mix(problems: ProblemSet, num_problems: int | None) -> list[_MixProgram]:
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
            _MixProgram(
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


# --- Measuring -----------------------------------------------------------------------------------


def measure(groups: Iterable[Sequence[Case]], rounds: int, seconds: float, meter: CpuMeter) -> None:
    """Give every case a slice in each round, in alternating order."""
    cases = [case for group in groups for case in group]
    for case in cases:
        for _ in range(max(2, case.whole_passes_of)):
            case.run_once([])
    for number in range(rounds):
        start = time.perf_counter()
        for case in cases if number % 2 == 0 else reversed(cases):
            case.run_slice(seconds, meter)
        record.say(f"round {number + 1} of {rounds}: {time.perf_counter() - start:.0f} s")


def open_contenders(names: Sequence[str] | None) -> tuple[list[Contender], dict[str, str]]:
    """The sandboxes asked for, or all that confine; and why some of them do not work here."""
    found, refused = [], {}
    for name in names or [name for name in SANDBOXES if name != "unsafe"]:
        before = descendants()
        try:
            opened = open_sandbox(name)
        except SandboxUnavailableError as error:
            if names:
                raise
            refused[name] = str(error)
            continue
        tests = toy_tests(2)
        for _ in range(5):
            list(opened.sandbox.run(TOY.encode(), [stdin for stdin, _ in tests], LIMITS))
        time.sleep(10 * SETTLE_S)  # leaders that have done their work are no part of it
        memory = memory_of(descendants() - before)
        found.append(Contender(name, opened.sandbox, opened.interpreter, memory))
    return found, refused


def expectations(
    contenders: Sequence[Contender],
    toys: Sequence[Case],
    failures: Sequence[Case],
    floor_per_cpu_s: float | None,
    nsjail_per_cpu_s: float | None,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """For each sandbox with a zygote what EXPECTED speaks of; and a sentence for each miss."""
    rates = {(c.name, c.tests_per_submission): c.rates()["tests_per_cpu_s"] for c in toys}
    measured: dict[str, dict[str, float]] = {}
    misses = []
    for contender in contenders:
        if not contender.has_zygote:
            continue
        name = contender.name
        failure_ms = next(c.cpu_ms_per_submission() for c in failures if c.name == name)
        found = {
            "share_of_fork_floor_at_20_tests": _ratio(rates.get((name, 20)), floor_per_cpu_s),
            "times_nsjail_per_test_at_20_tests": _ratio(rates.get((name, 20)), nsjail_per_cpu_s),
            "times_nsjail_per_test_at_1_test": _ratio(rates.get((name, 1)), nsjail_per_cpu_s),
            "first_failure_cpu_ms": failure_ms,
        }
        measured[name] = {key: value for key, value in found.items() if value is not None}
        for key, value in measured[name].items():
            is_cost = key == "first_failure_cpu_ms"
            if (value > EXPECTED[key]) if is_cost else (value < EXPECTED[key]):
                bound = "at most" if is_cost else "at least"
                misses.append(f"{name}: {key} is {value}, expected {bound} {EXPECTED[key]}")
    return measured, misses


def percentiles_ms(values_s: Sequence[float]) -> dict[str, float] | None:
    """Median and 99th percentile in milliseconds, None of nothing."""
    if not values_s:
        return None
    ordered = sorted(values_s)
    return {
        "p50": round(1e3 * ordered[len(ordered) // 2], 3),
        "p99": round(1e3 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 3),
    }


def _ratio(value: float | None, base: float | None) -> float | None:
    return round(value / base, 3) if value and base else None


def _rounded_median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None


def _range(values: Sequence[float]) -> list[float] | None:
    return [round(min(values), 1), round(max(values), 1)] if values else None


# --- Command line --------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as ``arguments``, by default the process's own, ask for; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("sandbox_throughput", arguments)
    _allow_many_open_files()
    cpus = os.sched_getaffinity(0)
    with cpu_meter() as meter, contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, cpus)
        os.sched_setaffinity(0, {max(cpus)})
        contenders, refused = open_contenders(options.backends)
        for contender in contenders:
            stack.callback(contender.sandbox.close)
        if not contenders:
            record.say(f"no sandbox works here: {refused}")
            return 1
        interpreter = contenders[0].interpreter
        floors = []
        for modules in ((), ZYGOTE_MODULES):
            floor = ForkFloor(interpreter.path, modules)
            stack.callback(floor.close)
            floors.append(floor_case(floor))
        mix = real_mix(load_problems("bundled"), options.mix_problems)
        baselines = baseline_cases(interpreter)
        toys = [toy_case(c, num_tests) for num_tests in options.tests for c in contenders]
        failures = [first_failure_case(c) for c in contenders]
        mixes = [mix_case(c, mix) for c in contenders if c.has_zygote or options.mix_per_test]
        # A worker holds far fewer objects than a process with this package and its libraries does.
        gc.collect()
        gc.freeze()
        groups = (floors, baselines, toys, failures, mixes)
        measure(groups, options.rounds, options.seconds, meter)
    floor_rates, prepared_rates = (case.rates() for case in floors)
    baseline_rates = {case.name: case.rates() for case in baselines}
    nsjail_per_cpu_s = baseline_rates.get("nsjail + python", {}).get("tests_per_cpu_s")
    measured, misses = expectations(
        contenders, toys, failures, floor_rates["tests_per_cpu_s"], nsjail_per_cpu_s
    )
    of_prepared_floor = {
        c.name: _ratio(c.rates()["tests_per_cpu_s"], prepared_rates["tests_per_cpu_s"])
        for c in toys
        if c.tests_per_submission == 20 and c.name in measured
    }
    result |= {
        "cpu_time_from": meter.source,
        "python_of_programs": interpreter.version,
        "settings": {
            "rounds": options.rounds,
            "seconds_per_slice": options.seconds,
            "num_cpus_used": 1,
        },
        "unavailable": refused,
        "fork_floor_per_cpu_s": floor_rates["tests_per_cpu_s"],
        "fork_floor_per_wall_s": floor_rates["tests_per_wall_s"],
        "prepared_fork_floor_per_cpu_s": prepared_rates["tests_per_cpu_s"],
        "prepared_fork_floor_modules": ZYGOTE_MODULES,
        "nsjail_per_test_per_cpu_s": nsjail_per_cpu_s,
        "baselines": [{"baseline": name, **rates} for name, rates in baseline_rates.items()],
        "results": [
            {"backend": c.name, "tests_per_submission": c.tests_per_submission, **c.rates()}
            for c in toys
        ],
        "first_failure": [
            {
                "backend": c.name,
                "tests_per_submission": c.tests_per_submission,
                "cpu_ms": c.cpu_ms_per_submission(),
                "latency_ms": percentiles_ms(c.latencies_s),
            }
            for c in failures
        ],
        "real_mix": {
            "problems": len(mix),
            "results": [
                {"backend": c.name, "tests_per_submission": c.tests_per_submission, **c.rates()}
                for c in mixes
            ],
        },
        "memory": {contender.name: asdict(contender.memory) for contender in contenders},
        "expected": EXPECTED,
        "measured": measured,
        "share_of_prepared_fork_floor_at_20_tests": of_prepared_floor,
        "misses": misses,
    }
    console = Console()
    console.print(results_table(result))
    for miss in misses:
        console.print(f"missed: {miss}", soft_wrap=True, highlight=False)
    record.finish(result, options.save)
    return 0


def results_table(result: dict[str, Any]) -> Table:
    """The rates for people."""
    table = Table(title=f"tests per second on one CPU; CPU time from {result['cpu_time_from']}")
    table.add_column("what")
    for column in ("tests", "per CPU s", "per s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")

    def add(name: str, num_tests: int | str, rates: dict[str, Any]) -> None:
        latency = rates.get("latency_ms") or {"p50": "", "p99": ""}
        table.add_row(
            name,
            str(num_tests),
            *(str(rates[key]) for key in ("tests_per_cpu_s", "tests_per_wall_s")),
            *(str(latency[key]) for key in ("p50", "p99")),
        )

    add(
        "fork + _exit + wait4",
        "",
        {
            "tests_per_cpu_s": result["fork_floor_per_cpu_s"],
            "tests_per_wall_s": result["fork_floor_per_wall_s"],
        },
    )
    prepared = result["prepared_fork_floor_per_cpu_s"]
    table.add_row("the same with the zygote's modules", "", str(prepared))
    for row in result["baselines"]:
        add(row["baseline"], 1, row)
    for row in result["results"]:
        add(row["backend"], row["tests_per_submission"], row)
    for row in result["real_mix"]["results"]:
        add(f"{row['backend']}, real programs", row["tests_per_submission"], row)
    for row in result["first_failure"]:
        latency = row["latency_ms"]
        name = f"{row['backend']}, first test fails"
        table.add_row(
            name, "1", f"{row['cpu_ms']} ms", "", str(latency["p50"]), str(latency["p99"])
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sandbox_throughput",
        description="Measure how many tests a second each sandbox runs.",
    )
    add = parser.add_argument
    add("--backends", type=_names, metavar="A,B", help="default: all that confine and work here")
    add(
        "--tests",
        type=record.positives,
        default=[1, 20, 100],
        metavar="N,M",
        help="tests per submission; default: 1,20,100",
    )
    add(
        "--seconds",
        type=record.seconds,
        default=1.0,
        metavar="S",
        help="of each case in each round; default: %(default)s",
    )
    add("--rounds", type=record.positive, default=7, metavar="R", help="default: %(default)s")
    add(
        "--mix-problems",
        type=record.positive,
        metavar="P",
        help="bundled problems in the mix of real programs; default: all",
    )
    add(
        "--mix-per-test",
        action="store_true",
        help="real programs in the slow sandboxes too, a minute and more in each round",
    )
    add("--save", action="store_true", help="write the result to benchmarks/results")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SANDBOXES:
            known = ", ".join(SANDBOXES)
            raise argparse.ArgumentTypeError(f"unknown sandbox {name!r}; known: {known}")
    return names


def _allow_many_open_files() -> None:
    """Inputs stay open as files, as in a judge worker."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))


if __name__ == "__main__":
    raise SystemExit(main())
