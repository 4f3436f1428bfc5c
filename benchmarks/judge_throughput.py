"""``python -m benchmarks.judge_throughput``: whole problems per second through the judge.

Everything an environment uses takes part: the caller, the sockets, the workers, the sandbox, the
comparison of outputs. Programs are the bundled problems' own, and each submission is judged as an
environment judges a last reply: public tests, then private and generated ones up to the first
failure. Nothing is remembered from one submission to the next. Wrong programs that run into a limit
are left out, as those measure the limit.

EXPECTED was written before the first measurement; a result names what missed it.
"""

import argparse
import contextlib
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.cpu_time import CpuMeter, cpu_meter
from benchmarks.instant_workers import instant_pool
from codefeedback_env import (
    Pool,
    ProblemSet,
    SandboxUnavailableError,
    Submission,
    Verdict,
    load_problems,
)
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.env import CodeFeedbackEnv
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import (
    JudgeReport,
    PackedProblem,
    Plan,
    Stage,
    encode_source,
    pack,
)
from codefeedback_env.make import make_env, make_vector_env
from codefeedback_env.vector import CodeFeedbackVectorEnv

EXPECTED = {
    "caller_cpu_us_per_submission": 100.0,
    "caller_cpu_us_per_submission_to_64_workers": 100.0,
    "threads_over_vector": 0.9,
}
"""At most, and the last one at least."""

NUM_INSTANT_WORKERS = 64

PLAN = Plan(
    stages=(
        Stage(pool=Pool.PUBLIC, keep_output=True),
        Stage(pool=Pool.PRIVATE, max_failures=1, in_any_order=True),
        Stage(pool=Pool.GENERATED, max_failures=1, in_any_order=True),
    )
)
SHARE_OF_WRONG = {"all correct": 0.0, "mostly incorrect": 0.8}
NOT_MEASURED = (Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT, Verdict.OUTPUT_LIMIT)
IN_FLIGHT_PER_WORKER = 4
TURN_LIMIT = 3

Totals = tuple[int, float]
"""Steps and the sum of their rewards."""


@dataclass(frozen=True, slots=True)
class Work:
    """A submission and what has to come out."""

    problem: PackedProblem
    submission: Submission
    is_right: bool


@dataclass(frozen=True, slots=True)
class Script:
    """An episode to be played: what an agent replies, turn after turn."""

    problem_id: str
    seed: int
    replies: tuple[str, ...]


# --- Submissions ---------------------------------------------------------------------------------


def make_work(problems: ProblemSet, share_of_wrong: float, seed: int) -> list[Work]:
    """Every problem several times, with right and wrong programs, in random order."""
    shuffle = random.Random(seed)
    work = []
    for problem in problems:
        checker = checker_for(problem, Judging.STRICT)
        packed = pack(problem, judging=Judging.STRICT, checker=checker)
        right = problems.reference_programs(problem.id)
        wrong = _wrong_programs(problems, problem.id)
        num_wrong = round(10 * share_of_wrong) if wrong else 0
        for i in range(10):
            is_right = i >= num_wrong
            programs = right if is_right else wrong
            work.append(Work(packed, programs[i % len(programs)], is_right))
    shuffle.shuffle(work)
    return work


@dataclass(frozen=True, slots=True)
class Judged:
    """What came back, and what it took; ``reports[i]`` is on item ``i`` of the work, cyclically."""

    reports: list[JudgeReport]
    wall_s: float
    own_cpu_s: float
    """CPU seconds of this process."""


def submit_for(
    submit: Callable[[PackedProblem, Submission, Plan], "Future[JudgeReport]"],
    work: Sequence[Work],
    seconds: float,
    num_in_flight: int,
) -> Judged:
    """Submit for so long, a new submission for each report, then wait for the last one."""
    free = threading.Semaphore(num_in_flight)
    futures: list[Future[JudgeReport]] = []
    own_before, start = time.process_time(), time.perf_counter()
    while not futures or time.perf_counter() - start < seconds:
        free.acquire()
        item = work[len(futures) % len(work)]
        future = submit(item.problem, item.submission, PLAN)
        future.add_done_callback(lambda _: free.release())
        futures.append(future)
    reports = [future.result() for future in futures]
    return Judged(reports, time.perf_counter() - start, time.process_time() - own_before)


def judge_for(
    judge: Judge, work: Sequence[Work], seconds: float, meter: CpuMeter
) -> dict[str, float | None]:
    """Submit for so long, always some ahead of the workers; returns rates and costs.

    Raises:
        RuntimeError: a right program was not accepted, or a wrong one was.
    """
    cpu_before = meter.read_s()
    judged = submit_for(
        judge.submit, work, seconds, IN_FLIGHT_PER_WORKER * judge.settings.num_workers
    )
    cpu_after = meter.read_s()
    reports, wall_s, own_s = judged.reports, judged.wall_s, judged.own_cpu_s
    for i, report in enumerate(reports):
        item = work[i % len(work)]
        if report.all_passed != item.is_right:
            raise RuntimeError(f"a program was judged wrongly: {item.submission.source_code!r}")
    cpu_s = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
    num_tests = sum(len(part.results) for report in reports for part in report.reports.values())
    return {
        "problems_per_wall_s": len(reports) / wall_s,
        "problems_per_cpu_s": len(reports) / cpu_s if cpu_s else None,
        "tests_per_wall_s": num_tests / wall_s,
        "tests_per_cpu_s": num_tests / cpu_s if cpu_s else None,
        "tests_per_problem": num_tests / len(reports),
        "caller_cpu_us_per_submission": 1e6 * own_s / len(reports),
    }


def measure_judge(
    problems: ProblemSet,
    sandbox: str,
    worker_counts: Sequence[int],
    rounds: int,
    seconds: float,
    meter: CpuMeter,
) -> list[dict[str, Any]]:
    """Each mix with each number of workers, in turn; medians over the rounds."""
    mixes = {name: make_work(problems, share, seed=0) for name, share in SHARE_OF_WRONG.items()}
    samples: dict[tuple[str, int], list[dict[str, float | None]]] = {}
    with contextlib.ExitStack() as stack:
        judges = []
        for num_workers in worker_counts:
            judge = Judge(sandbox=sandbox, num_workers=num_workers, num_remembered=0)
            stack.callback(judge.close)
            judges.append(judge)
            for work in mixes.values():
                judge_for(judge, work, seconds / 2, meter)  # ships the problems too
        for number in range(rounds):
            for judge in judges if number % 2 == 0 else reversed(judges):
                for name, work in mixes.items():
                    key = name, judge.settings.num_workers
                    samples.setdefault(key, []).append(judge_for(judge, work, seconds, meter))
            record.say(f"judge: round {number + 1} of {rounds}")
    return [
        {
            "mix": name,
            "workers": num_workers,
            **{key: _median([sample[key] for sample in found]) for key in found[0]},
            "problems_per_wall_s_range": _range([s["problems_per_wall_s"] for s in found]),
        }
        for (name, num_workers), found in sorted(samples.items())
    ]


def measure_caller(problems: ProblemSet, rounds: int, seconds: float) -> dict[str, Any]:
    """The caller's own cost with many workers behind it, which answer at once and run nothing.

    Beside workers that take the whole machine, a caller is woken rarely and finds its caches cold.
    """
    work = make_work(problems, 0.0, seed=0)
    costs, rates = [], []
    with instant_pool(NUM_INSTANT_WORKERS) as pool:

        def submit(
            problem: PackedProblem, submission: Submission, plan: Plan
        ) -> "Future[JudgeReport]":
            return pool.submit(problem, encode_source(submission.source_code), plan)

        in_flight = IN_FLIGHT_PER_WORKER * NUM_INSTANT_WORKERS
        submit_for(submit, work, seconds / 5, in_flight)  # ships the problems too
        for _ in range(rounds):
            judged = submit_for(submit, work, seconds, in_flight)
            if not all(report.all_passed for report in judged.reports):
                raise RuntimeError("a worker that passes every test reported a failure")
            costs.append(1e6 * judged.own_cpu_s / len(judged.reports))
            rates.append(len(judged.reports) / judged.wall_s)
    return {
        "workers": NUM_INSTANT_WORKERS,
        "submissions_per_wall_s": _median(rates),
        "caller_cpu_us_per_submission": _median(costs),
        "caller_cpu_us_per_submission_range": _range(costs),
    }


def _wrong_programs(problems: ProblemSet, problem_id: str) -> list[Submission]:
    """Those that are not judged by the clock: endless ones would measure time limits only."""
    return [
        program.submission
        for program in problems.wrong_programs(problem_id)
        if program.verdict not in NOT_MEASURED
    ]


# --- Environments --------------------------------------------------------------------------------


def make_scripts(
    problems: ProblemSet, num_envs: int, num_episodes: int, seed: int
) -> list[list[Script]]:
    """For each environment its episodes: a wrong reply, then a right one."""
    shuffle = random.Random(seed)
    solvable = [i for i in problems.ids if problems.reference_programs(i)]
    scripts = []
    for env_id in range(num_envs):
        own = []
        for number in range(num_episodes):
            problem_id = shuffle.choice(solvable)
            wrong = _wrong_programs(problems, problem_id)
            right = problems.reference_programs(problem_id)
            programs = (*wrong[:1], right[0])
            replies = tuple(f"```python\n{p.source_code}\n```" for p in programs)
            own.append(Script(problem_id, 1000 * env_id + number, replies))
        scripts.append(own)
    return scripts


def step_in_threads(envs: Sequence[CodeFeedbackEnv], scripts: Sequence[Sequence[Script]]) -> Totals:
    """A thread for each environment plays its episodes; returns steps and rewards together."""
    totals: list[Totals] = []

    def play(env: CodeFeedbackEnv, own: Sequence[Script]) -> None:
        num_steps, reward_sum = 0, 0.0
        for script in own:
            env.reset(seed=script.seed, options={"problem": script.problem_id})
            for reply in script.replies:
                _, reward, terminated, truncated, _ = env.step(reply)
                num_steps += 1
                reward_sum += float(reward)
                if terminated or truncated:
                    break
        totals.append((num_steps, reward_sum))

    threads = [threading.Thread(target=play, args=pair) for pair in zip(envs, scripts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(totals) != len(envs):
        raise RuntimeError("a thread that stepped an environment died; see stderr")
    return sum(n for n, _ in totals), round(sum(r for _, r in totals), 6)


def step_asynchronously(vec: CodeFeedbackVectorEnv, scripts: Sequence[Sequence[Script]]) -> Totals:
    """One caller plays the same episodes, answering whichever environment is ready."""
    waiting = [iter(own) for own in scripts]
    replies: dict[int, Iterator[str]] = {}
    num_steps, reward_sum = 0, 0.0

    def begin(env_ids: Sequence[int]) -> list[int]:
        begun = {i: script for i in env_ids if (script := next(waiting[i], None)) is not None}
        if not begun:
            return []
        every = range(vec.num_envs)
        vec.reset(
            seed=[begun[i].seed if i in begun else None for i in every],
            options={
                "reset_mask": np.array([i in begun for i in every]),
                "problem": [begun[i].problem_id if i in begun else None for i in every],
            },
        )
        replies.update((i, iter(script.replies)) for i, script in begun.items())
        return list(begun)

    due = begin(range(vec.num_envs))
    under_way = len(due)
    while under_way:
        if due:
            vec.send([next(replies[i]) for i in due], due)
        _, rewards, terminations, truncations, infos = vec.recv()
        due = []
        ended: list[int] = []
        for row, env_id in enumerate(infos["env_id"].tolist()):
            num_steps += 1
            reward_sum += float(rewards[row])
            is_over = terminations[row] or truncations[row]
            (ended if is_over else due).append(env_id)
        begun = begin(ended)
        under_way += len(begun) - len(ended)
        due += begun
    return num_steps, round(reward_sum, 6)


def step_in_batches(vec: CodeFeedbackVectorEnv, problems: ProblemSet, num_steps: int) -> Totals:
    """One caller steps all environments together; every reply is right."""
    _, infos = vec.reset(seed=0)
    reward_sum = 0.0
    for _ in range(num_steps):
        replies = []
        for problem_id in infos["problem_id"]:
            program = problems.reference_programs(problem_id)[0]
            replies.append(f"```python\n{program.source_code}\n```")
        _, rewards, _, _, infos = vec.step(replies)
        reward_sum += float(rewards.sum())
    return num_steps * vec.num_envs, reward_sum


def measure_environments(
    problems: ProblemSet,
    sandbox: str,
    num_workers: int,
    num_envs: int,
    num_episodes: int,
    rounds: int,
) -> dict[str, Any]:
    """The same episodes by a thread for each environment and by one caller, in turn."""
    judge = Judge(sandbox=sandbox, num_workers=num_workers, num_remembered=0)
    options: dict[str, Any] = {"dataset": problems, "turn_limit": TURN_LIMIT, "sandbox": judge}
    envs = [make_env(**options) for _ in range(num_envs)]
    vec = make_vector_env(num_envs, autoreset_mode=AutoresetMode.DISABLED, **options)
    batch = make_vector_env(num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **options)
    scripts = make_scripts(problems, num_envs, num_episodes, seed=0)
    ways: dict[str, Callable[[], Totals]] = {
        "threads": lambda: step_in_threads(envs, scripts),
        "vector, send and recv": lambda: step_asynchronously(vec, scripts),
        "vector, step": lambda: step_in_batches(batch, problems, num_episodes),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    caller_us: dict[str, list[float]] = {name: [] for name in ways}
    totals: dict[str, Totals] = {}
    try:
        for number in range(-1, rounds):  # the first one warms up
            for name in ways if number % 2 == 0 else reversed(ways):
                own_before, start = time.process_time(), time.perf_counter()
                outcome = ways[name]()
                wall_s = time.perf_counter() - start
                if totals.setdefault(name, outcome) != outcome:
                    raise RuntimeError(f"{name}: {outcome} and {totals[name]} of equal episodes")
                if number >= 0:
                    rates[name].append(outcome[0] / wall_s)
                    own_s = time.process_time() - own_before
                    caller_us[name].append(1e6 * own_s / outcome[0])
            record.say(f"environments: round {number + 1} of {rounds}")
    finally:
        judge.close()
    if totals["threads"] != totals["vector, send and recv"]:
        raise RuntimeError(f"threads and vector environment disagree: {totals}")
    over = [
        threads / vector
        for threads, vector in zip(rates["threads"], rates["vector, send and recv"], strict=True)
    ]
    return {
        "num_envs": num_envs,
        "workers": num_workers,
        "episodes_per_env": num_episodes,
        "steps_per_wall_s": {name: _median(values) for name, values in rates.items()},
        "steps_per_wall_s_range": {name: _range(values) for name, values in rates.items()},
        "caller_cpu_us_per_step": {name: _median(values) for name, values in caller_us.items()},
        "threads_over_vector": round(statistics.median(over), 3),
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 2) if known else None


def _range(values: Sequence[float | None]) -> list[float]:
    known = [value for value in values if value is not None]
    return [round(min(known), 2), round(max(known), 2)]


# --- Command line --------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as ``arguments``, by default the process's own, ask for; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("judge_throughput", arguments)
    problems = load_problems("bundled")
    try:
        with cpu_meter() as meter:
            judging = measure_judge(
                problems, options.sandbox, options.workers, options.rounds, options.seconds, meter
            )
            caller = measure_caller(problems, options.rounds, options.seconds)
            environments = measure_environments(
                problems,
                options.sandbox,
                max(options.workers),
                options.envs,
                options.episodes,
                options.rounds,
            )
            probe = Judge(sandbox=options.sandbox, num_workers=1)
            with contextlib.closing(probe):
                sandbox = probe.info()
    except SandboxUnavailableError as error:
        record.say(str(error))
        return 1
    caller_us = max(row["caller_cpu_us_per_submission"] for row in judging)
    measured = {
        "caller_cpu_us_per_submission": caller_us,
        "caller_cpu_us_per_submission_to_64_workers": caller["caller_cpu_us_per_submission"],
        "threads_over_vector": environments["threads_over_vector"],
    }
    misses = [
        f"{key} is {measured[key]}, expected at most {EXPECTED[key]}"
        for key in EXPECTED
        if key.startswith("caller") and measured[key] > EXPECTED[key]
    ]
    if measured["threads_over_vector"] < EXPECTED["threads_over_vector"]:
        misses.append(
            f"threads reach {measured['threads_over_vector']} of one caller's rate, expected at "
            f"least {EXPECTED['threads_over_vector']}"
        )
    result |= {
        "cpu_time_from": meter.source,
        "sandbox": sandbox.sandbox,
        "python_of_programs": sandbox.python_version,
        "settings": {
            "rounds": options.rounds,
            "seconds_per_slice": options.seconds,
            "problems": len(problems),
            "share_of_wrong_programs": SHARE_OF_WRONG,
            "wrong_programs_left_out": [verdict.value for verdict in NOT_MEASURED],
        },
        "results": judging,
        "scaling": scaling(judging),
        "instant_workers": caller,
        "environments": environments,
        "expected": EXPECTED,
        "measured": measured,
        "misses": misses,
    }
    console = Console()
    console.print(results_table(result))
    for mix, ratios in result["scaling"].items():
        rates = ", ".join(f"{ratio} with {workers}" for workers, ratio in ratios.items())
        console.print(f"scaling over workers, {mix}: {rates}", soft_wrap=True, highlight=False)
    console.print(
        f"{environments['num_envs']} threads with an environment each reach "
        f"{environments['threads_over_vector']} of the rate of one caller with send and recv",
        soft_wrap=True,
        highlight=False,
    )
    for miss in misses:
        console.print(f"missed: {miss}", soft_wrap=True, highlight=False)
    record.finish(result, folder=options.save)
    return 0


def scaling(judging: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each mix the rate with each number of workers over that with the fewest."""
    found: dict[str, dict[str, float]] = {}
    for row in judging:  # sorted by mix and workers
        ratios = found.setdefault(row["mix"], {})
        base = next(r for r in judging if r["mix"] == row["mix"])
        ratio = row["problems_per_wall_s"] / base["problems_per_wall_s"]
        ratios[str(row["workers"])] = round(ratio, 3)
    return found


def results_table(result: dict[str, Any]) -> Table:
    """The rates for people."""
    table = Table(title=f"judging with {result['sandbox']}")
    table.add_column("what")
    for column in ("workers", "per s", "per CPU s", "tests per s", "caller's CPU, us"):
        table.add_column(column, justify="right")
    for row in result["results"]:
        keys = ("workers", "problems_per_wall_s", "problems_per_cpu_s", "tests_per_wall_s")
        cells = [*(row[key] for key in keys), row["caller_cpu_us_per_submission"]]
        table.add_row(f"problems, {row['mix']}", *map(str, cells))
    caller = result["instant_workers"]
    table.add_row(
        "submissions to workers that answer at once",
        str(caller["workers"]),
        str(caller["submissions_per_wall_s"]),
        *("", ""),
        str(caller["caller_cpu_us_per_submission"]),
    )
    environments = result["environments"]
    for name, rate in environments["steps_per_wall_s"].items():
        caller_us = environments["caller_cpu_us_per_step"][name]
        what = f"steps of {environments['num_envs']} environments, {name}"
        table.add_row(what, str(environments["workers"]), str(rate), "", "", str(caller_us))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judge_throughput",
        description="Measure how many whole problems a second the judge decides.",
    )
    add = parser.add_argument
    num_cpus = len(os.sched_getaffinity(0))
    counts = sorted({1, 2, num_cpus} | {2**n for n in range(1, 10) if 2**n <= num_cpus})
    add("--sandbox", default="auto", metavar="X", help="default: auto")
    add(
        "--workers",
        type=record.positives,
        default=counts,
        metavar="N,M",
        help=f"default: {','.join(map(str, counts))}",
    )
    add("--envs", type=record.positive, default=64, metavar="E", help="default: %(default)s")
    add(
        "--episodes",
        type=record.positive,
        default=10,
        metavar="N",
        help="of each environment in each round; default: %(default)s",
    )
    add(
        "--seconds",
        type=record.seconds,
        default=5.0,
        metavar="S",
        help="of each case in each round; default: %(default)s",
    )
    add("--rounds", type=record.positive, default=5, metavar="R", help="default: %(default)s")
    record.add_save_option(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
