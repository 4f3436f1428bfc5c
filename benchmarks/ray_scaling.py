"""``python -m benchmarks.ray_scaling``: submissions per second judged on one and two Ray nodes.

The nodes are processes of this machine, with one CPU each, beside a head without any; two nodes
need a machine with two CPUs. Caller and Ray's own processes take their CPU time from the same
machine, which they would not do in a cluster, so each submission runs long enough
(``--loops``) to make that small: the result says how much CPU time a submission takes. The same
submissions through the ordinary judge with one and two workers tell what this machine itself gives.
All cases take turns in each round. Nothing is remembered from one submission to the next.

EXPECTED was written before the first measurement; a result names what missed it.
"""

import argparse
import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray
from ray.cluster_utils import Cluster
from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.judge_throughput import IN_FLIGHT_PER_WORKER, Work, submit_for
from codefeedback_env import Problem, SandboxUnavailableError, Submission, TestCase
from codefeedback_env.adapters.ray import RayJudge
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import pack

EXPECTED = {"two_nodes_over_one": 1.7}
"""At least."""

OBJECT_STORE_BYTES = 100 << 20
NUM_PROGRAMS = 50  # different ones, as a policy would write them
WARM_UP_S = 4.0
OpenJudge = Callable[[], Judge | RayJudge]


def make_work(loops: int) -> list[Work]:
    """Programs that add up so many numbers, each on a public, a private and a generated test."""
    problem = Problem(
        id="sum",
        statement="Print the sum.",
        public_tests=(TestCase("1\n", f"{_total(loops, 1)}\n"),),
        private_tests=(TestCase("2\n", f"{_total(loops, 2)}\n"),),
        generated_tests=(TestCase("3\n", f"{_total(loops, 3)}\n"),),
        time_limit_s=60.0,
        memory_limit_mib=256,
    )
    checker = checker_for(problem, Judging.STRICT)
    packed = pack(problem, judging=Judging.STRICT, checker=checker)
    return [
        Work(packed, Submission("python3", _program(loops, number)), is_right=True)
        for number in range(NUM_PROGRAMS)
    ]


def _program(loops: int, number: int) -> str:
    return (
        f"# {number}\nn, total = int(input()), 0\n"
        f"for i in range({loops}):\n    total += i & n\nprint(total)\n"
    )


def _total(loops: int, n: int) -> int:
    return sum(i & n for i in range(loops))


def judge_for(
    open_judge: OpenJudge, num_workers: int, work: Sequence[Work], seconds: float
) -> dict[str, float]:
    """Submit for so long to a judge opened for it.

    Raises:
        RuntimeError: a right program was not accepted.
    """
    judge = open_judge()
    in_flight = IN_FLIGHT_PER_WORKER * num_workers
    try:
        judge.info()
        submit_for(judge.submit, work, WARM_UP_S, in_flight)  # until all workers have joined
        judged = submit_for(judge.submit, work, seconds, in_flight)
    finally:
        judge.close()
    if not all(report.all_passed for report in judged.reports):
        raise RuntimeError("a right program was not accepted")
    cpu_s = [
        sum(result.cpu_time_s for part in report.reports.values() for result in part.results)
        for report in judged.reports
    ]
    return {
        "submissions_per_wall_s": len(judged.reports) / judged.wall_s,
        "cpu_s_per_submission": statistics.median(cpu_s),
        "caller_cpu_us_per_submission": 1e6 * judged.own_cpu_s / len(judged.reports),
    }


@contextlib.contextmanager
def two_nodes() -> Iterator[None]:
    """This process is connected to two nodes with a CPU each."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        },
    )
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES)
        ray.init(address=cluster.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


def measure(sandbox: str, loops: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Each case in each round, in turn: one row for each, with what every round gave."""
    cases: dict[tuple[str, int], OpenJudge] = {}
    for num_workers in (1, 2):
        options: dict[str, Any] = {"sandbox": sandbox, "num_workers": num_workers}
        cases["ray", num_workers] = lambda o=options: RayJudge(num_remembered=0, **o)
        cases["local", num_workers] = lambda o=options: Judge(num_remembered=0, **o)
    work = make_work(loops)
    samples: dict[tuple[str, int], list[dict[str, float]]] = {case: [] for case in cases}
    with two_nodes():
        for number in range(rounds):
            for case in cases if number % 2 == 0 else reversed(cases):
                samples[case].append(judge_for(cases[case], case[1], work, seconds))
            record.say(f"round {number + 1} of {rounds}")
    return [
        {
            "judge": name,
            "workers": num_workers,
            **{key: round(statistics.median(s[key] for s in found), 4) for key in found[0]},
            "rounds": [round(sample["submissions_per_wall_s"], 3) for sample in found],
        }
        for (name, num_workers), found in samples.items()
    ]


def two_over_one(rows: Sequence[dict[str, Any]], judge: str) -> float:
    """The median over the rounds of what the second worker is worth."""
    one, two = (row["rounds"] for row in rows if row["judge"] == judge)
    return round(statistics.median(b / a for a, b in zip(one, two, strict=True)), 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as ``arguments``, by default the process's own, ask for; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("ray_scaling", arguments)
    result["versions"]["ray"] = ray.__version__
    try:
        with contextlib.closing(Judge(sandbox=options.sandbox, num_workers=1)) as judge:
            found = judge.info()
        rows = measure(found.sandbox, options.loops, options.rounds, options.seconds)
    except SandboxUnavailableError as error:
        record.say(str(error))
        return 1
    measured = {"two_nodes_over_one": two_over_one(rows, "ray")}
    misses = [
        f"{key} is {measured[key]}, expected at least {least}"
        for key, least in EXPECTED.items()
        if measured[key] < least
    ]
    result |= {
        "sandbox": found.sandbox,
        "python_of_programs": found.python_version,
        "settings": {
            "rounds": options.rounds,
            "seconds_per_slice": options.seconds,
            "loops": options.loops,
        },
        "results": rows,
        "two_workers_over_one_without_ray": two_over_one(rows, "local"),
        "expected": EXPECTED,
        "measured": measured,
        "misses": misses,
    }
    console = Console()
    console.print(_table(rows))
    for miss in misses:
        console.print(f"missed: {miss}", soft_wrap=True, highlight=False)
    record.finish(result, options.save)
    return 0


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("judge")
    for column in ("workers", "submissions per s", "CPU s each", "caller's CPU, us"):
        table.add_column(column, justify="right")
    keys = (
        "workers",
        "submissions_per_wall_s",
        "cpu_s_per_submission",
        "caller_cpu_us_per_submission",
    )
    for row in rows:
        table.add_row(row["judge"], *(str(row[key]) for key in keys))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ray_scaling",
        description="Measure what a second node of a Ray cluster is worth.",
    )
    add = parser.add_argument
    add("--sandbox", default="auto", metavar="X", help="default: auto")
    add(
        "--loops",
        type=record.positive,
        default=2_000_000,
        metavar="N",
        help="of each program on each of three tests; default: %(default)s",
    )
    add(
        "--seconds",
        type=record.seconds,
        default=20.0,
        metavar="S",
        help="of each case in each round; default: %(default)s",
    )
    add("--rounds", type=record.positive, default=5, metavar="R", help="default: %(default)s")
    record.add_save_option(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
