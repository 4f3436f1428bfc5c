"""What a result came from: commit, versions, machine."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("codefeedback-env", "gymnasium", "numpy")


def versions(settings: Mapping[str, Any], packages: Iterable[str] = ()) -> dict[str, Any]:
    """The commit of this checkout and the versions of what took part.

    Args:
        settings: of an episode's record, which say what ran the programs.
        packages: besides the environment's own.
    """
    return {
        "commit": commit(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in (*PACKAGES, *packages)},
        "sandbox": settings.get("sandbox"),
        "python_of_programs": settings.get("python"),
        "numpy_of_programs": settings.get("numpy"),
    }


def commit() -> str | None:
    """The commit of this checkout, with "-dirty" where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """The machine and its processors."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        models = [line.partition(": ")[2] for line in cpu_info.splitlines() if "model name" in line]
    except OSError:
        models = []
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "platform": platform.platform(),
        "cpu": models[0] if models else platform.processor(),
        "num_cpus": len(affinity(0)) if affinity else os.cpu_count(),
        "gpu": _gpu(),
    }


def _gpu() -> str | None:
    torch: Any = sys.modules.get("torch")  # without it no GPU took part
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())
