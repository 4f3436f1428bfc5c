"""``python -m benchmarks.sandbox_throughput``: tests per second of each sandbox.

One caller on one CPU runs programs through each sandbox in turn, again and again, so that a machine
that is busy for a while is busy for all of them; results are medians over the rounds. Rates are per
CPU second of everything involved, the caller included, and per second by the clock.

verl's reward function ``prime_code`` takes its turns among them where it is installed; see
``prime_code.py``. Like it, the judge is a whole reward function, so that the two are compared.

EXPECTED was written before the first measurement; a result names what missed it.
"""

import argparse
import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.baselines import RAW_NSJAIL, ForkFloor
from benchmarks.cases import (
    LIMITS,
    PRIME_CODE,
    SETTLE_S,
    TOY,
    ZYGOTE_MODULES,
    Case,
    Contender,
    MixProgram,
    baseline_cases,
    first_failure_case,
    floor_case,
    judge_case,
    mix_case,
    percentiles_ms,
    prime_code_case,
    prime_code_failure_case,
    real_mix,
    toy_case,
    toy_tests,
)
from benchmarks.cpu_time import CpuMeter, cpu_meter
from benchmarks.prime_code import (
    FUNCTION,
    PrimeCode,
    PrimeCodeUnavailableError,
    open_prime_code,
)
from benchmarks.processes import descendants, memory_of
from codefeedback_env import SandboxUnavailableError, load_problems
from codefeedback_env.judge.judge import Judge
from codefeedback_env.sandbox.catalog import SANDBOXES, open_sandbox

EXPECTED = {
    "share_of_fork_floor_at_20_tests": 0.45,
    "times_nsjail_per_test_at_20_tests": 10.0,
    "times_nsjail_per_test_at_1_test": 3.5,
    "first_failure_cpu_ms": 4.0,
    "judge_times_prime_code_at_100_tests": 1.0,
}
"""At least, and for the first failure at most; of each sandbox with a zygote."""

# --- Measuring -----------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Everything that is measured, in one run and in turn."""

    floors: list[Case]
    """Of a bare interpreter, and of one with a zygote's modules."""

    baselines: list[Case]
    toys: list[Case]
    judged: list[Case]
    """By the judge, in the sandboxes with a zygote."""

    failures: list[Case]
    mixes: list[Case]
    rivals: list[Case]
    """prime_code with the toy program; nothing where it is not installed."""

    rival_failures: list[Case]


def open_cases(
    contenders: Sequence[Contender],
    rival: PrimeCode | None,
    mix: Sequence[MixProgram],
    options: argparse.Namespace,
    stack: contextlib.ExitStack,
) -> Cases:
    """All cases; ``stack`` ends the processes they need."""
    interpreter = contenders[0].interpreter
    floors = [ForkFloor(interpreter.path, modules) for modules in ((), ZYGOTE_MODULES)]
    for floor in floors:
        stack.callback(floor.close)
    with_zygote = [contender for contender in contenders if contender.has_zygote]
    judges = [Judge(sandbox=c.name, num_workers=1, num_remembered=0) for c in with_zygote]
    for judge in judges:
        stack.callback(judge.close)
    return Cases(
        floors=[floor_case(floor) for floor in floors],
        baselines=baseline_cases(interpreter),
        toys=[toy_case(c, n) for n in options.tests for c in contenders],
        judged=[judge_case(judge, n) for n in options.tests for judge in judges],
        failures=[first_failure_case(contender) for contender in contenders],
        mixes=[mix_case(c, mix) for c in (contenders if options.mix_per_test else with_zygote)],
        rivals=[prime_code_case(rival, n) for n in options.tests] if rival else [],
        rival_failures=[prime_code_failure_case(rival)] if rival else [],
    )


def measure(measured: Cases, rounds: int, seconds: float, meter: CpuMeter) -> None:
    """Give every case a slice in each round, in alternating order."""
    cases = [case for group in fields(measured) for case in getattr(measured, group.name)]
    for case in cases:
        for _ in range(max(2, case.whole_passes_of)):
            case.run_once([])
    for number in range(rounds):
        start = time.perf_counter()
        for case in cases if number % 2 == 0 else reversed(cases):
            case.run_slice(seconds, meter)
        record.say(f"round {number + 1} of {rounds}: {time.perf_counter() - start:.0f} s")


def measured_of(name: str, cases: Cases) -> dict[str, float]:
    """What EXPECTED speaks of, of one sandbox with a zygote, as far as it was measured."""
    floor = cases.floors[0].tests_per_cpu_s()
    nsjail = _rate_of(cases.baselines, RAW_NSJAIL, 1)
    (failure,) = (case for case in cases.failures if case.name == name)
    found = {
        "share_of_fork_floor_at_20_tests": _ratio(_rate_of(cases.toys, name, 20), floor),
        "times_nsjail_per_test_at_20_tests": _ratio(_rate_of(cases.toys, name, 20), nsjail),
        "times_nsjail_per_test_at_1_test": _ratio(_rate_of(cases.toys, name, 1), nsjail),
        "first_failure_cpu_ms": failure.cpu_ms_per_submission(),
        "judge_times_prime_code_at_100_tests": _ratio(
            _rate_of(cases.judged, name, 100), _rate_of(cases.rivals, PRIME_CODE, 100)
        ),
    }
    return {key: value for key, value in found.items() if value is not None}


def misses_of(name: str, measured: Mapping[str, float]) -> list[str]:
    """A sentence for each value that is not as expected."""
    misses = []
    for key, value in measured.items():
        is_cost = key == "first_failure_cpu_ms"
        if (value > EXPECTED[key]) if is_cost else (value < EXPECTED[key]):
            bound = "at most" if is_cost else "at least"
            misses.append(f"{name}: {key} is {value}, expected {bound} {EXPECTED[key]}")
    return misses


def _rate_of(cases: Iterable[Case], name: str, num_tests: int) -> float | None:
    """Tests per CPU second of the case with this name and number of tests, if there is one."""
    for case in cases:
        if (case.name, case.tests_per_submission) == (name, num_tests):
            return case.tests_per_cpu_s()
    return None


def _ratio(value: float | None, base: float | None) -> float | None:
    return round(value / base, 3) if value and base else None


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
        try:
            rival = open_prime_code(options.verl_python)
        except PrimeCodeUnavailableError as error:
            record.say(str(error))
            return 1
        if rival is not None:
            stack.callback(rival.close)
        contenders, refused = open_contenders(options.backends)
        for contender in contenders:
            stack.callback(contender.sandbox.close)
        if not contenders:
            record.say(f"no sandbox works here: {refused}")
            return 1
        mix = real_mix(load_problems("bundled"), options.mix_problems)
        cases = open_cases(contenders, rival, mix, options, stack)
        # A worker holds far fewer objects than a process with this package and its libraries does.
        gc.collect()
        gc.freeze()
        measure(cases, options.rounds, options.seconds, meter)
    floor, prepared_floor = (case.rates() for case in cases.floors)
    measured = {c.name: measured_of(c.name, cases) for c in contenders if c.has_zygote}
    misses = [miss for name, values in measured.items() for miss in misses_of(name, values)]
    result |= {
        "cpu_time_from": meter.source,
        "python_of_programs": contenders[0].interpreter.version,
        "settings": {
            "rounds": options.rounds,
            "seconds_per_slice": options.seconds,
            "num_cpus_used": 1,
        },
        "unavailable": refused,
        "fork_floor_per_cpu_s": floor["tests_per_cpu_s"],
        "fork_floor_per_wall_s": floor["tests_per_wall_s"],
        "prepared_fork_floor_per_cpu_s": prepared_floor["tests_per_cpu_s"],
        "prepared_fork_floor_modules": ZYGOTE_MODULES,
        "nsjail_per_test_per_cpu_s": _rate_of(cases.baselines, RAW_NSJAIL, 1),
        "baselines": [{"baseline": case.name, **case.rates()} for case in cases.baselines],
        "results": [backend_row(case) for case in cases.toys],
        "first_failure": [failure_row(case) for case in cases.failures],
        "real_mix": {
            "problems": len(mix),
            "results": [backend_row(case) for case in cases.mixes],
        },
        "through_the_judge": [backend_row(case) for case in cases.judged],
        "verl_prime_code": rival and rival_result(rival, cases),
        "memory": {contender.name: asdict(contender.memory) for contender in contenders},
        "expected": EXPECTED,
        "measured": measured,
        "share_of_prepared_fork_floor_at_20_tests": {
            name: _ratio(_rate_of(cases.toys, name, 20), prepared_floor["tests_per_cpu_s"])
            for name in measured
        },
        "misses": misses,
    }
    console = Console()
    console.print(results_table(result))
    if rival is not None and rival.python_version != result["python_of_programs"]:
        console.print(
            f"verl's programs ran in Python {rival.python_version}, those in the sandboxes in "
            f"{result['python_of_programs']}: builds differ in speed, so give both the same.",
            soft_wrap=True,
            highlight=False,
        )
    for miss in misses:
        console.print(f"missed: {miss}", soft_wrap=True, highlight=False)
    record.finish(result, folder=options.save)
    return 0


def backend_row(case: Case) -> dict[str, Any]:
    """A case of a sandbox in the result."""
    return {
        "backend": case.name,
        "tests_per_submission": case.tests_per_submission,
        "cpu_ms_per_submission": case.cpu_ms_per_submission(),
        **case.rates(),
    }


def failure_row(case: Case) -> dict[str, Any]:
    """A submission that fails its first test."""
    return {
        "backend": case.name,
        "tests_per_submission": case.tests_per_submission,
        "cpu_ms": case.cpu_ms_per_submission(),
        "latency_ms": percentiles_ms(case.latencies_s),
    }


def rival_result(rival: PrimeCode, cases: Cases) -> dict[str, Any]:
    """What was measured of prime_code, and how much faster the judge is."""
    (failure,) = cases.rival_failures
    times: dict[str, dict[str, float | None]] = {}
    for case in cases.judged:
        rate = _rate_of(cases.rivals, PRIME_CODE, case.tests_per_submission)
        ratios = times.setdefault(case.name, {})
        ratios[str(case.tests_per_submission)] = _ratio(case.tests_per_cpu_s(), rate)
    return {
        "function": FUNCTION,
        "version": rival.version,
        "python": rival.python_version,
        "results": [
            {
                "tests_per_submission": case.tests_per_submission,
                "cpu_ms_per_submission": case.cpu_ms_per_submission(),
                **case.rates(),
            }
            for case in cases.rivals
        ],
        "first_failure": {
            "tests_per_submission": failure.tests_per_submission,
            "cpu_ms": failure.cpu_ms_per_submission(),
        },
        "judge_times_prime_code": times,
    }


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
    for row in result["through_the_judge"]:
        add(f"{row['backend']}, through the judge", row["tests_per_submission"], row)
    rival = result["verl_prime_code"]
    for row in rival["results"] if rival else ():
        add(f"verl {rival['version']} prime_code", row["tests_per_submission"], row)
    for row in result["real_mix"]["results"]:
        add(f"{row['backend']}, real programs", row["tests_per_submission"], row)
    for row in result["first_failure"]:
        latency = row["latency_ms"]
        name = f"{row['backend']}, first test fails"
        table.add_row(
            name, "1", f"{row['cpu_ms']} ms", "", str(latency["p50"]), str(latency["p99"])
        )
    if rival:
        cpu_ms = rival["first_failure"]["cpu_ms"]
        table.add_row("verl prime_code, first test fails", "", f"{cpu_ms} ms")
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
    add(
        "--verl-python",
        metavar="PATH",
        help="an interpreter that has verl; default: this one, without verl where it has none",
    )
    record.add_save_option(parser)
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
