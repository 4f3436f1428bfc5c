"""What the processes that this one has started hold: memory, descriptors, themselves."""

import os
from dataclasses import dataclass
from pathlib import Path

_MIB_PER_KIB = 1 / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of several processes together."""

    num_processes: int
    rss_mib: float
    """Resident memory; pages that processes share are counted for each of them."""

    pss_mib: float | None
    """The same with shared pages counted once; None where this user may not know."""


def descendants(ancestor: int | None = None) -> set[int]:
    """Every living process below ``ancestor``, by default below this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = Path(f"/proc/{name}/stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        state, parent = stat.rpartition(")")[2].split(maxsplit=2)[:2]  # a name may hold blanks
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(name))
    found: set[int] = set()
    todo = [os.getpid() if ancestor is None else ancestor]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return found


def memory_of(pids: set[int]) -> Memory:
    """Memory of those processes that are alive."""
    rss, pss = 0.0, 0.0
    num_processes, all_known = 0, True
    for pid in pids:
        resident = _kib(f"/proc/{pid}/status", "VmRSS:")
        if resident is None:
            continue
        num_processes += 1
        rss += resident
        share = _kib(f"/proc/{pid}/smaps_rollup", "Pss:")
        all_known = all_known and share is not None
        pss += share or 0
    return Memory(
        num_processes=num_processes,
        rss_mib=round(rss * _MIB_PER_KIB, 2),
        pss_mib=round(pss * _MIB_PER_KIB, 2) if all_known and num_processes else None,
    )


def num_descriptors(pids: set[int]) -> int:
    """Open descriptors of those processes that this user may look into."""
    total = 0
    for pid in pids:
        try:
            total += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
    return total


def _kib(path: str, key: str) -> int | None:
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return None
