"""``python -m benchmarks.dataset_scale``: problems of a large dataset, out of the local cache.

Writes parquet files of CodeContests' counts and sizes with made-up texts, builds the cache in one
process, and opens and reads it in another. ``--share`` says how much of the training split's size
is written, by default a twentieth. What is extrapolated to all problems grows in proportion, though
a part of it is the same for any number, so the true value is below. Random reads come after the
system was asked to drop the cache from memory, the epoch after them. How real rows compress, and
how large their row groups are, is not known here.

EXPECTED was written before the first measurement; a result names what missed it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record

EXPECTED = {
    "full_open_s": 2.0,
    "full_opened_mib": 150.0,
    "random_read_max_ms": 20.0,
    "epoch_growth_mib": 10.0,
    "epoch_read_over_cache": 1.01,
    "open_read_over_files": 0.01,
    "build_read_over_needed": 1.2,
}
"""At most. ``full_`` is extrapolated to all problems. Bytes read in an epoch over those of the
cache, in opening over those of the parquet files, and in building over those of the columns that
problems are made of: more would mean that programs are read."""


def measure(folder: Path, share: float, num_reads: int) -> dict[str, Any]:
    """Write, build and read in ``folder``, which has room enough."""
    from benchmarks import dataset_scale_data

    start = time.perf_counter()
    written = dataset_scale_data.write(folder / "data", share)
    record.say(f"written {written.num_bytes / 1e9:.2f} GB in {time.perf_counter() - start:.0f} s")
    built = _child(folder, "build", "build")
    record.say(f"built the cache in {built['build_s']} s")
    read = _child(folder, "read", "read", "--reads", str(num_reads))
    real_share = written.num_problems / dataset_scale_data.NUM_PROBLEMS
    full_open_mib = read["imported_mib"] + (read["opened_mib"] - read["imported_mib"]) / real_share
    built.pop("cache_folder")
    return {
        "share": round(real_share, 4),
        "num_problems": written.num_problems,
        "num_tests": written.num_tests,
        "parquet_bytes": written.num_bytes,
        "parquet_raw_bytes": written.raw_bytes,
        "parquet_needed_bytes": written.needed_bytes,
        **built,
        **read,
        "full_open_s": round(read["open_s"] / real_share, 3),
        "full_opened_mib": round(full_open_mib, 1),
        "full_build_s": round(built["build_s"] / real_share),
        "full_cache_gb": round(built["cache_bytes"] / real_share / 1e9, 2),
        "random_read_max_ms": read["random_read_ms"]["max"],
        "epoch_read_over_cache": round(read["epoch_bytes_read"] / built["cache_bytes"], 4),
        "open_read_over_files": round(read["open_bytes_read"] / written.num_bytes, 5),
        "build_read_over_needed": round(built["build_bytes_read"] / written.needed_bytes, 3),
    }


def _child(folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    """What a fresh process measured."""
    step, *options = arguments
    command = [sys.executable, "-m", "benchmarks.dataset_scale_reader", step, *options]
    done = subprocess.run(
        [*command, str(folder / "data")],
        env={**os.environ, "CODEFEEDBACK_CACHE": str(folder / "caches")},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the process that should {name} failed; see stderr")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _show(result: dict[str, Any]) -> None:
    table = Table("what", "measured", "expected at most")
    for key in (
        *("num_problems", "num_tests", "parquet_bytes", "cache_bytes", "build_s", "build_peak_mib"),
        *("open_s", "opened_mib", "random_read_ms", "random_read_cpu_ms", "epoch_read_ms"),
        *("epoch_s", "full_build_s", "full_cache_gb", *EXPECTED),
    ):
        table.add_row(key, str(result[key]), str(EXPECTED.get(key, "")))
    Console(stderr=True).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as ``arguments``, by default the process's own, ask for; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("dataset_scale", arguments)
    folder = Path(tempfile.mkdtemp(prefix="dataset_scale-", dir=options.folder))
    try:
        result |= measure(folder, options.share, options.reads)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    misses = [
        f"{key} is {result[key]}, expected at most {limit}"
        for key, limit in EXPECTED.items()
        if result[key] > limit
    ]
    result |= {"expected": EXPECTED, "misses": misses}
    _show(result)
    for miss in misses:
        record.say(f"missed: {miss}")
    record.finish(result, options.save)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--share",
        type=_share,
        default=0.05,
        metavar="X",
        help="of CodeContests' training split, at most 1 (8 GB of files; default: 0.05)",
    )
    parser.add_argument(
        "--reads", type=record.positive, default=1000, metavar="N", help="random reads"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where to write (default: TMPDIR)"
    )
    record.add_save_option(parser)
    return parser


def _share(text: str) -> float:
    value = record.seconds(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text} is more than 1")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
