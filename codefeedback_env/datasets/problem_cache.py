"""Reading the local cache of a dataset."""

import json
import os
import weakref
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from codefeedback_env.datasets.problem_codec import decode_problem
from codefeedback_env.datasets.problem_set import ProblemSummary
from codefeedback_env.datasets.summary_columns import from_columns
from codefeedback_env.errors import DatasetError
from codefeedback_env.problem import Problem

RECORDS = "problems.bin"
"""The problems as ``encode_problem`` writes them, one after the other."""

INDEX = "index.npy"
"""For each problem where its record ends, the row it comes from, and the record's CRC-32."""

SUMMARIES = "summaries.json"
MANIFEST = "manifest.json"

END, ROW, CHECKSUM = range(3)
"""Columns of the index."""


class ProblemCache:
    """A finished cache: a problem costs one read of its record, whatever their number.

    Records are read and not mapped: pages of a map that were touched once would count as memory of
    each process until the machine needs them. All files hold plain data, and nothing in them is
    ever executed. Objects may be pickled, forked and used by several threads.
    """

    def __init__(self, folder: Path) -> None:
        """The cache in ``folder``.

        Raises:
            DatasetError: it is damaged.
        """
        self.folder = folder
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            self.fingerprint = str(manifest["fingerprint"])
            """Of the data."""

            self._index = np.load(folder / INDEX, allow_pickle=False)
            self._file = os.open(folder / RECORDS, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise self._damaged(str(error)) from error
        weakref.finalize(self, os.close, self._file)
        if self._index.shape != (manifest["num_problems"], 3) or self._index.dtype != np.int64:
            raise self._damaged(f"an index of shape {self._index.shape}")
        self.num_bytes = os.fstat(self._file).st_size
        """Of all records."""

        if self.num_bytes != (self._index[-1, END] if len(self._index) else 0):
            raise self._damaged(f"{self.num_bytes} bytes of problems")

    def __reduce__(self) -> tuple[type["ProblemCache"], tuple[Path]]:
        """By folder: descriptors do not travel."""
        return ProblemCache, (self.folder,)

    def __len__(self) -> int:
        """How many problems there are."""
        return len(self._index)

    @cached_property
    def summaries(self) -> tuple[ProblemSummary, ...]:
        """One summary for each problem."""
        try:
            summaries = from_columns(json.loads((self.folder / SUMMARIES).read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(str(error)) from error
        if len(summaries) != len(self):
            raise self._damaged(f"{len(summaries)} summaries of {len(self)} problems")
        return summaries

    def row(self, position: int) -> int:
        """Number of the row that a problem comes from."""
        return int(self._index[position, ROW])

    def problem(self, position: int) -> Problem | None:
        """A problem; None for one that could not be read when the cache was built.

        Raises:
            DatasetError: its record is damaged.
        """
        start = int(self._index[position - 1, END]) if position else 0
        size = int(self._index[position, END]) - start
        if not size:
            return None
        record = self._read(start, size)
        if zlib.crc32(record) != self._index[position, CHECKSUM]:
            raise self._damaged(f"problem {position} has another checksum")
        try:
            return decode_problem(record)
        except ValueError as error:
            raise self._damaged(f"problem {position}: {error}") from error

    def _read(self, start: int, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = os.pread(self._file, size, start)
            except OSError as error:
                raise self._damaged(str(error)) from error
            if not part:
                raise self._damaged("it has become shorter")
            parts.append(part)
            start += len(part)
            size -= len(part)
        return b"".join(parts)

    def _damaged(self, what: Any) -> DatasetError:
        return DatasetError(
            f"the cache {self.folder} is damaged ({what}); remove this directory, and it is built "
            "again."
        )
