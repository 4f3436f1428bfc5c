"""The benchmarks run, say what they must say, and notice what they are there to notice."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import record, soak
from benchmarks.cases import percentiles_ms
from benchmarks.cpu_time import cpu_meter
from benchmarks.processes import descendants, memory_of
from benchmarks.sandbox_throughput import misses_of
from codefeedback_env.judge.judge import Judge
from codefeedback_env.verdicts import Verdict

CHECKOUT = Path(record.__file__).parent.parent
EVERY_RESULT = {"benchmark", "command", "date", "hardware", "versions", "commit", "dirty"}

# An interpreter whose children are reaped without being waited for, as a zygote's leaders are.
BURNS_IN_A_CHILD_NOBODY_WAITS_FOR = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while time.process_time() < 0.2:
        pass
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
"""


def run_benchmark(name: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and the last line of the output."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result.keys() >= EVERY_RESULT
    assert result["benchmark"] == name
    assert result["hardware"]["num_cpus"] >= 1
    return done.returncode, result


def is_rate(value: Any, result: dict[str, Any]) -> bool:
    """A rate per CPU second is null just where CPU time cannot be measured."""
    if result["cpu_time_from"].startswith("unknown"):
        return value is None
    return value > 0


@pytest.fixture(scope="module")
def sandbox_name(judge: Judge) -> str:
    return judge.info().sandbox


@pytest.mark.sandbox
def test_sandbox_throughput_measures_sandbox_floor_and_first_failure(sandbox_name: str) -> None:
    status, result = run_benchmark(
        "sandbox_throughput",
        *("--backends", sandbox_name, "--tests", "1,3"),
        *("--seconds", "0.02", "--rounds", "2", "--mix-problems", "2"),
    )
    assert status == 0
    assert is_rate(result["fork_floor_per_cpu_s"], result)
    assert result["nsjail_per_test_per_cpu_s"] is None or result["nsjail_per_test_per_cpu_s"] > 0
    cases = [(row["backend"], row["tests_per_submission"]) for row in result["results"]]
    assert cases == [(sandbox_name, 1), (sandbox_name, 3)]
    mix = result["real_mix"]
    assert mix["problems"] == 2
    for row in [*result["results"], *mix["results"]]:
        assert is_rate(row["tests_per_cpu_s"], result)
        assert row["tests_per_wall_s"] > 0
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
    (failure,) = result["first_failure"]
    assert is_rate(failure["cpu_ms"], result)
    memory = result["memory"][sandbox_name]
    assert memory["num_processes"] >= 1
    assert memory["rss_mib"] > 1
    assert {row["baseline"] for row in result["baselines"]} >= {"python"}
    assert result["expected"].keys() >= result["measured"][sandbox_name].keys()
    judged = [(row["backend"], row["tests_per_submission"]) for row in result["through_the_judge"]]
    assert judged == cases
    assert all(is_rate(row["tests_per_cpu_s"], result) for row in result["through_the_judge"])


@pytest.mark.sandbox
def test_judge_throughput_measures_mixes_workers_and_environments(sandbox_name: str) -> None:
    status, result = run_benchmark(
        "judge_throughput",
        *("--sandbox", sandbox_name, "--workers", "1,2", "--seconds", "0.05"),
        *("--rounds", "1", "--envs", "2", "--episodes", "1"),
    )
    assert status == 0
    assert result["sandbox"] == sandbox_name
    cases = [(row["mix"], row["workers"]) for row in result["results"]]
    mixes = ("all correct", "mostly incorrect")
    assert cases == [(mix, workers) for mix in mixes for workers in (1, 2)]
    for row in result["results"]:
        assert row["problems_per_wall_s"] > 0
        assert is_rate(row["problems_per_cpu_s"], result)
        assert row["caller_cpu_us_per_submission"] > 0
    assert set(result["scaling"]) == set(mixes)
    assert result["instant_workers"]["workers"] == 64
    assert result["instant_workers"]["caller_cpu_us_per_submission"] > 0
    assert set(result["measured"]) == set(result["expected"])
    environments = result["environments"]
    assert environments["threads_over_vector"] > 0
    assert all(rate > 0 for rate in environments["steps_per_wall_s"].values())


@pytest.mark.sandbox
def test_a_short_soak_judges_every_program_as_its_table_says(sandbox_name: str) -> None:
    status, result = run_benchmark(
        "soak", "--sandbox", sandbox_name, "--workers", "1", "--executions", "1"
    )
    assert result["wrong_verdicts"] == 0
    assert set(result["submissions_of"]) >= {program.name for program in soak.PROGRAMS}
    assert result["executions"] > len(soak.PROGRAMS)
    assert result["processes_left"] == 0
    assert result["growth"].keys() == result["bounds"].keys()
    assert (status, result["passed"]) == (0, True), result["failures"]


@pytest.mark.sandbox
def test_soak_notices_a_wrong_verdict(judge: Judge) -> None:
    right = soak.PROGRAMS[0]
    mislabelled = replace(right, verdict=Verdict.WRONG_ANSWER)
    run = soak.Soak(judge, [right], seed=0)
    run.judge_all([right, mislabelled])
    assert run.num_submissions == 2
    assert run.num_executions == 2 * soak.NUM_TESTS
    assert sum(run.wrong.values()) == 1


def test_growth_compares_the_ends_and_takes_the_middle_of_a_few_for_memory() -> None:
    memory = [100, 900, 101, 102, 103, 110, 104, 111, 112, 113, 990, 999]
    samples = [
        soak.Sample(num_executions=i, memory_mib=mib, descriptors=10 + i, processes=3, files=i % 2)
        for i, mib in enumerate(memory)
    ]
    # Twelve samples, so three at each end: medians of 100, 900, 101 and of 113, 990, 999.
    assert soak.growth(samples) == {
        "memory_mib": 889,
        "descriptors": 11,
        "processes": 0,
        "files": 1,
    }


def test_soak_counts_files_that_programs_leave(tmp_path: Path) -> None:
    assert soak.take_sample(0, tmp_path).files == 0
    (tmp_path / "left").touch()
    marked = Path("/tmp", f"{soak.FILE_PREFIX}test-{os.getpid()}")
    marked.touch()
    try:
        assert soak.take_sample(0, tmp_path).files == 2
    finally:
        marked.unlink()


def test_cpu_meter_counts_children_that_nobody_waited_for() -> None:
    with cpu_meter() as meter:
        before = meter.read_s()
        if before is None:
            pytest.skip(meter.source)
        subprocess.run([sys.executable, "-c", BURNS_IN_A_CHILD_NOBODY_WAITS_FOR], check=True)
        after = meter.read_s()
        assert after is not None
        assert after - before > 0.2


def test_memory_and_descendants_follow_processes() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in descendants()
        memory = memory_of({child.pid})
        assert memory.num_processes == 1
        assert memory.rss_mib > 1
    finally:
        child.communicate(b"\n")
    assert child.pid not in descendants()
    assert memory_of({child.pid}).num_processes == 0


def test_a_miss_is_a_rate_too_low_or_a_cost_too_high() -> None:
    measured = {"judge_times_prime_code_at_100_tests": 0.9, "first_failure_cpu_ms": 3.9}
    assert misses_of("x", measured) == [
        "x: judge_times_prime_code_at_100_tests is 0.9, expected at least 1.0"
    ]
    measured = {"judge_times_prime_code_at_100_tests": 1.0, "first_failure_cpu_ms": 4.1}
    assert misses_of("x", measured) == ["x: first_failure_cpu_ms is 4.1, expected at most 4.0"]


def test_percentiles_of_a_hundred_values() -> None:
    # 1 ms to 100 ms: the fifty-first is the middle one, the hundredth the 99th percentile.
    values = [i / 1000 for i in range(100, 0, -1)]
    assert percentiles_ms(values) == {"p50": 51.0, "p99": 100.0}
    assert percentiles_ms([]) is None


def test_saved_results_never_replace_earlier_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"benchmark": "b", "date": "2026-01-02T03:04:05+00:00", "commit": "c" * 40}
    assert record.finish(result, folder=None) is None
    for _ in range(2):
        record.finish({**result, "dirty": True}, folder=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    stem = f"b-2026-01-02-{'c' * 10}-dirty"
    assert names == [f"{stem}-2.json", f"{stem}.json"]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["commit"] == "c" * 40


def test_save_takes_a_folder_or_the_usual_one() -> None:
    parser = argparse.ArgumentParser()
    record.add_save_option(parser)
    assert parser.parse_args([]).save is None
    assert parser.parse_args(["--save"]).save == record.RESULTS
    assert parser.parse_args(["--save", "elsewhere"]).save == Path("elsewhere")
