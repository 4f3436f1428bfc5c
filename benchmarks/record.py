"""What every benchmark's result says about where it comes from, and where results are kept."""

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
_PACKAGES = ("codefeedback-env", "gymnasium", "numpy", "cloudpickle")
_COMMIT_DIGITS = 10


def begin(benchmark: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The first part of a result: what is run, when, on what and with what."""
    return {
        "benchmark": benchmark,
        "command": shlex.join(["python", "-m", f"benchmarks.{benchmark}", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": versions(),
        **commit(),
    }


def finish(result: Mapping[str, Any], folder: Path | None) -> Path | None:
    """Print a result as one line of JSON, the last of the output, and save it if asked to."""
    print(json.dumps(result), flush=True)
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = _new_file(folder, result)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    say(f"written to {path}")
    return path


def add_save_option(parser: argparse.ArgumentParser) -> None:
    """Every benchmark's ``--save``; users who may not write to the checkout give a folder."""
    parser.add_argument(
        "--save",
        type=Path,
        nargs="?",
        const=RESULTS,
        metavar="FOLDER",
        help="write the result to a file; default of the folder: benchmarks/results",
    )


def hardware() -> dict[str, Any]:
    """Machine, kernel, processor, cores and how busy they were; no name of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "kernel": platform.release(),
        "cpu": _cpu_model(),
        "num_cpus": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "is_root": os.getuid() == 0,
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter here; None for one that is missing."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def commit() -> dict[str, Any]:
    """The commit of this checkout, and whether files that git follows differ from it."""
    head = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": head, "dirty": None if changes is None else bool(changes)}


def positive(text: str) -> int:
    """The whole number of at least 1 that an option gives."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positives(text: str) -> list[int]:
    """Several of them, separated by commas."""
    return [positive(part) for part in text.split(",")]


def seconds(text: str) -> float:
    """The positive number that an option gives."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def say(text: str) -> None:
    """How far a benchmark is, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _new_file(folder: Path, result: Mapping[str, Any]) -> Path:
    """A path with benchmark, date and commit in its name; earlier results stay."""
    source = (result["commit"] or "unknown")[:_COMMIT_DIGITS] + ("-dirty" * bool(result["dirty"]))
    stem = f"{result['benchmark']}-{result['date'][:10]}-{source}"
    path, number = folder / f"{stem}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.json"
    return path


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    # A checkout that belongs to another user is no danger to who runs its programs anyway.
    trusting = ("-c", f"safe.directory={folder.parent}")
    try:
        done = subprocess.run(
            ["git", *trusting, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    models = [line.partition(": ")[2] for line in text.splitlines() if "model name" in line]
    return models[0] if models else platform.processor()


def _memory_gib() -> float | None:
    try:
        num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
    return round(num_bytes / (1 << 30), 1)
