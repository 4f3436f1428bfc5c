"""Building the local cache of a dataset, in parts that survive an interruption."""

import errno
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from codefeedback_env.datasets.cache_place import FORMAT_VERSION
from codefeedback_env.datasets.problem_cache import INDEX, MANIFEST, RECORDS, SUMMARIES
from codefeedback_env.datasets.problem_codec import encode_problem
from codefeedback_env.datasets.problem_set import ProblemSource, ProblemSummary
from codefeedback_env.datasets.row_source import RowProblem, unique_id
from codefeedback_env.datasets.summary_columns import Columns, to_columns
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Problem

if TYPE_CHECKING:
    from codefeedback_env.datasets.problem_set import WrongProgram
    from codefeedback_env.datasets.rows import Rows

PART_ROWS = 256
PART_BYTES = 64 << 20
"""A part ends with the first of these; what an interruption costs is at most one part."""

RESERVED_BYTES = 1 << 30
"""A build stops rather than leave less than this on the disk, which others need too."""

JOURNAL = "journal.jsonl"
"""One line for each finished part of a cache that is being built."""

Progress = Callable[[int, int], None]
"""Told rows done and rows altogether."""


class RowProblems(ProblemSource, Protocol):
    """A ProblemSource whose problems lie in rows, one in each."""

    rows: "Rows"

    def read_row(self, index: int) -> RowProblem | None:
        """All that a cache keeps of a row; None for a row that is left out."""

    def problem_in_row(self, index: int, problem_id: str) -> Problem:
        """The problem in a row."""

    def references_in_row(self, index: int) -> tuple[Submission, ...]:
        """The right programs in a row."""

    def wrong_programs_in_row(self, index: int) -> "tuple[WrongProgram, ...]":
        """The wrong programs in a row."""


def build_cache(source: RowProblems, folder: Path, progress: Progress) -> None:
    """Build the cache of ``source`` in ``folder``, or finish what an earlier build began.

    It grows beside ``folder`` under a hidden name and gets its own when it is whole. Of several
    processes that build the same cache one does, and the others wait for it.

    Raises:
        DatasetError: a row cannot be read, not even for its summary.
        OSError: the directory cannot be written, or too little space is left.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = folder.with_name(f".{folder.name}.building")
    while not folder.exists():
        with _locked(growing) as is_ours:
            if not is_ours:
                continue
            if folder.exists():
                growing.rmdir()  # made anew by us, after the other process had renamed its own
                continue
            _build(source, growing, progress)
            growing.rename(folder)
            _sync_directory(folder.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold the directory; False where it was renamed while we waited."""
    import fcntl  # which not every system has

    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # let go of by the system, however we end
        try:
            is_ours = os.path.samestat(folder.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            is_ours = False
        yield is_ours
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class _Done:
    """What the journal says is on the disk."""

    num_rows: int = 0
    num_bytes: int = 0
    index: list[list[int]] = field(default_factory=list)
    summaries: Columns = field(default_factory=lambda: to_columns(()))

    @classmethod
    def read(cls, folder: Path) -> "_Done":
        """What an earlier build got done; nothing where its files do not fit together."""
        done = cls()
        try:
            lines = (folder / JOURNAL).read_bytes().split(b"\n")
            for line in lines[:-1]:  # what comes after the last newline was cut short
                done.add(json.loads(line))
            is_whole = (folder / RECORDS).stat().st_size >= done.num_bytes
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            is_whole = False
        if is_whole:
            return done
        for name in (JOURNAL, RECORDS):
            (folder / name).unlink(missing_ok=True)
        return cls()

    def add(self, part: dict[str, Any]) -> None:
        self.num_rows, self.num_bytes = part["num_rows"], part["num_bytes"]
        self.index += part["index"]
        for name, column in self.summaries.items():
            column += part["summaries"][name]


def _build(source: RowProblems, folder: Path, progress: Progress) -> None:
    num_rows = len(source.rows)
    done = _Done.read(folder)
    with (folder / RECORDS).open("ab") as records, (folder / JOURNAL).open("ab") as journal:
        records.truncate(done.num_bytes)
        journal.truncate(_end_of_last_line(folder / JOURNAL))
        taken = set(done.summaries["id"])
        while done.num_rows < num_rows:
            progress(done.num_rows, num_rows)
            _refuse_to_fill_the_disk(folder)
            part = _write_part(source, done, taken, records)
            _sync(records)
            journal.write(json.dumps(part, separators=(",", ":")).encode() + b"\n")
            _sync(journal)
            done.add(part)
        progress(num_rows, num_rows)
    index = np.array(done.index, np.int64).reshape(-1, 3)
    manifest = {
        "format": FORMAT_VERSION,
        "dataset": source.name,
        "split": source.split,
        "fingerprint": source.fingerprint,
        "num_problems": len(index),
        "num_bytes": done.num_bytes,
    }
    with (folder / INDEX).open("wb") as file:
        np.save(file, index, allow_pickle=False)
        _sync(file)
    for name, content in ((SUMMARIES, done.summaries), (MANIFEST, manifest)):
        with (folder / name).open("wb") as file:
            file.write(json.dumps(content, separators=(",", ":")).encode())
            _sync(file)
    (folder / JOURNAL).unlink()
    _sync_directory(folder)


def _write_part(
    source: RowProblems, done: _Done, taken: set[str], records: IO[bytes]
) -> dict[str, Any]:
    """Append the records of the next rows; returns the journal's entry for them."""
    end = done.num_bytes
    row, last_row = done.num_rows, min(done.num_rows + PART_ROWS, len(source.rows))
    index: list[list[int]] = []
    summaries: list[ProblemSummary] = []
    while row < last_row and end - done.num_bytes < PART_BYTES:
        stored = source.read_row(row)
        if stored is not None:
            problem_id = unique_id(stored.summary.id, taken)
            taken.add(problem_id)
            problem = stored.problem
            record = b"" if problem is None else encode_problem(replace(problem, id=problem_id))
            records.write(record)
            end += len(record)
            index.append([end, row, zlib.crc32(record)])
            summaries.append(replace(stored.summary, id=problem_id))
        row += 1
    return {
        "num_rows": row,
        "num_bytes": end,
        "index": index,
        "summaries": to_columns(summaries),
    }


def _end_of_last_line(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1


def _refuse_to_fill_the_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < RESERVED_BYTES + PART_BYTES:
        raise OSError(
            errno.ENOSPC,
            f"{free >> 20} MiB are free, and a build leaves {RESERVED_BYTES >> 20} MiB",
        )


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
