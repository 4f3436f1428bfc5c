"""The processes that ``dataset_scale`` measures: one builds the cache, one reads from it."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import memory_of
from codefeedback_env import load_problems
from codefeedback_env.datasets.cached_source import CachedSource, cache_required
from codefeedback_env.datasets.optional_import import optional_import
from codefeedback_env.datasets.problem_cache import RECORDS
from codefeedback_env.order import ProblemOrder

NUM_MEMORY_SAMPLES = 20


def build(path: Path) -> dict[str, Any]:
    """Build the cache."""
    optional_import("pyarrow.parquet", "building")  # whose files are not to be counted
    read_before, start = bytes_read(), time.perf_counter()
    with cache_required(lambda num_done, num_rows: None):
        problems = load_problems("code_contests", path=path, split="train", exclude=None)
    assert isinstance(problems.source, CachedSource)
    return {
        "build_s": round(time.perf_counter() - start, 2),
        "build_peak_mib": round(peak_mib(), 1),
        "build_bytes_read": bytes_read() - read_before,
        "cache_bytes": problems.source.cache.num_bytes,
        "cache_folder": str(problems.source.cache.folder),
    }


def read(path: Path, num_reads: int) -> dict[str, Any]:
    """Open the set, read at random, then visit every problem in an environment's order."""
    imported_mib = resident_mib()
    read_before, start = bytes_read(), time.perf_counter()
    problems = load_problems("code_contests", path=path, split="train", exclude=None)
    num_problems = len(problems.ids)
    open_s = time.perf_counter() - start
    opened_mib, open_bytes = resident_mib(), bytes_read() - read_before
    assert isinstance(problems.source, CachedSource)
    forget(problems.source.cache.folder / RECORDS)
    random = np.random.default_rng(0)
    times, cpu_times = [], []
    for position in random.integers(num_problems, size=num_reads).tolist():
        cpu_start = time.thread_time()
        times.append(timed_read(problems, position))
        cpu_times.append(time.thread_time() - cpu_start)
    order = ProblemOrder(num_problems, seed=0)
    every = max(1, num_problems // NUM_MEMORY_SAMPLES)
    memory, read_before, start = [], bytes_read(), time.perf_counter()
    epoch_times = []
    for number in range(num_problems):
        epoch_times.append(timed_read(problems, order.next()))
        if (number + 1) % every == 0:
            memory.append(resident_mib())
    epoch_s, epoch_bytes = time.perf_counter() - start, bytes_read() - read_before
    return {
        "open_s": round(open_s, 4),
        "imported_mib": imported_mib,
        "opened_mib": opened_mib,
        "open_bytes_read": open_bytes,
        "random_read_ms": summary_ms(times),
        "random_read_cpu_ms": summary_ms(cpu_times),
        "epoch_read_ms": summary_ms(epoch_times),
        "epoch_s": round(epoch_s, 2),
        "epoch_bytes_read": epoch_bytes,
        "epoch_memory_mib": memory,
        "epoch_growth_mib": round(max(memory) - memory[len(memory) // 4], 1),
    }


def timed_read(problems: Any, position: int) -> float:
    """Seconds that reading one problem takes."""
    start = time.perf_counter()
    _ = problems[position]
    return time.perf_counter() - start


def summary_ms(times: list[float]) -> dict[str, float]:
    """Median, 99th of a hundred and largest."""
    p50, p99, largest = np.percentile(times, [50, 99, 100]) * 1000
    return {"p50": round(p50, 3), "p99": round(p99, 3), "max": round(largest, 3)}


def forget(path: Path) -> None:
    """Ask the system to drop a file from its page cache, so that the next reads reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def bytes_read() -> int:
    """By this process, through the page cache or not."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar:")).split()[1])


def resident_mib() -> float:
    """Resident memory of this process."""
    return memory_of({os.getpid()}).rss_mib


def peak_mib() -> float:
    """Largest resident memory of this program; getrusage would count its parent's before it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["build", "read"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--reads", type=int, default=1000)
    options = parser.parse_args()
    is_build = options.step == "build"
    print(json.dumps(build(options.path) if is_build else read(options.path, options.reads)))


if __name__ == "__main__":
    main()
