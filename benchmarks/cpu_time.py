"""CPU time of this process and of everything it starts, wherever that runs and however it ends.

Only a control group knows it. ``getrusage`` and the times in ``/proc`` count a child when its
parent has waited for it, and nobody waits for the processes in which a zygote runs a submission:
the kernel reaps those without adding their time to anybody's.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEAVING_S = 5.0


class CpuMeter:
    """Reads the CPU time of one control group."""

    def __init__(self, source: str, folder: Path | None) -> None:
        """``folder`` is the group's, None where none can be made."""
        self.source = source
        """Where the times come from, for the record."""

        self._folder = folder

    def read_s(self) -> float | None:
        """CPU seconds so far, None where they cannot be known."""
        if self._folder is None:
            return None
        if self.source == "cgroup v1 cpuacct.usage":
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        key, value, *_ = (self._folder / "cpu.stat").read_text().split()
        assert key == "usage_usec"
        return int(value) / 1e6


@contextmanager
def cpu_meter() -> Iterator[CpuMeter]:
    """Move this process into a control group of its own for the duration of the block.

    What it starts inside the block has to end inside it too, or the group stays behind.
    """
    refused = []
    for source, parent in _own_groups():
        folder = parent / f"codefeedback-benchmark-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            refused.append(f"{source}: {error.strerror}")
            continue
        try:
            _move_to(folder)
        except OSError as error:
            refused.append(f"{source}: {error.strerror}")
            folder.rmdir()
            continue
        try:
            yield CpuMeter(source, folder)
        finally:
            with contextlib.suppress(OSError):
                _move_to(parent)
            _remove(folder)
        return
    reasons = "; ".join(refused) or "no control groups are mounted"
    yield CpuMeter(f"unknown ({reasons})", None)


def _own_groups() -> Iterator[tuple[str, Path]]:
    """The control groups this process is in that count CPU time, the more precise one first."""
    try:
        memberships = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    paths = {}  # of the group, by the controllers of its hierarchy; version 2 has the empty key
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path
    accounting = next((path for key, path in paths.items() if "cpuacct" in key.split(",")), None)
    for kind, source, group in (
        ("cgroup", "cgroup v1 cpuacct.usage", accounting),
        ("cgroup2", "cgroup v2 cpu.stat", paths.get("")),
    ):
        for line in mounts:
            before, _, after = line.partition(" - ")
            mounted, _, options = after.split(" ", 2)
            counts_cpu_time = kind == "cgroup2" or "cpuacct" in options.split(",")
            if group is None or mounted != kind or not counts_cpu_time:
                continue
            root, mount_point = before.split(" ")[3:5]
            # In a container the mount may show a part of the hierarchy only.
            below = os.path.relpath(group, root)
            yield source, Path(mount_point) / ("" if below.startswith("..") else below)


def _move_to(folder: Path) -> None:
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def _remove(folder: Path) -> None:
    """Remove a group, whose last processes may still be on their way out."""
    deadline = time.monotonic() + _LEAVING_S
    while time.monotonic() < deadline:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
