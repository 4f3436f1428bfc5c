"""Random access to the lines of a JSON Lines file, plain or gzipped."""

import gzip
import hashlib
import mmap
import os
import tempfile
import threading
import weakref
import zlib
from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from codefeedback_env.datasets.inspection import leave_out
from codefeedback_env.datasets.json_columns import parse_json
from codefeedback_env.datasets.row_limits import largest_field, max_row_bytes, too_large
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

PIECE_BYTES = 1 << 20
"""Read at a time while lines are looked for, however long they are."""


class JsonLinesRows:
    """The lines of a file with one JSON object a line; blank lines do not count.

    The first use reads the file once and remembers where each line starts. A gzipped file is
    unpacked on the way into a temporary file without a name, which vanishes with this object.
    Afterwards a row costs one seek and the parsing of its line.
    """

    def __init__(self, path: Path) -> None:
        """The lines of ``path``; a name that ends in ``.gz`` means gzip."""
        self.path = path

    def __reduce__(self) -> tuple[type["JsonLinesRows"], tuple[Path]]:
        """By path: file descriptors do not travel."""
        return JsonLinesRows, (self.path,)

    @cached_property
    def _lines(self) -> "_Lines":
        lines = _Lines(self.path)
        if lines.damage is not None:
            leave_out(lines.damage, self.path)
        return lines

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, unpacked."""
        return self._lines.sha256

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._lines.sizes)

    def place(self, index: int) -> str:
        """Path and row number."""
        return f"{self.path}, row {index + 1}"

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One whole line: JSON cannot be read by columns."""
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} in {self.path}, which has {len(self)}.")
        if (num_bytes := self._lines.sizes[index]) > max_row_bytes():
            raise too_large(self.place(index), num_bytes, *self._lines.largest_field(index))
        line = self._lines.read(index)
        try:
            row = parse_json(line)
        except ValueError as error:  # also broken UTF-8
            raise DatasetError(
                f"{self.place(index)}: the line is not valid JSON ({error}); "
                "each line must be one whole JSON object."
            ) from error
        if not isinstance(row, dict):
            raise DatasetError(
                f"{self.place(index)}: the line is a JSON {type(row).__name__}; "
                "each line must be one JSON object."
            )
        return row

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All lines in order."""
        return (self.read(index, columns) for index in range(len(self)))


class _Lines:
    """Where the lines of an open file start, how long they are, and their digest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q")
        self.sizes = array("Q")
        self.damage: DatasetError | None = None
        """Why the file cannot be read to its end; what comes before is there."""

        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        is_gzip = path.name.endswith(".gz")
        try:
            if is_gzip:
                self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- stays open
                try:
                    with gzip.open(path) as packed:
                        self._index(packed, copy_to=self._file)
                finally:
                    self._file.flush()  # also what comes before damage
            else:
                self._file = path.open("rb")
                self._index(self._file)
        except FileNotFoundError as error:
            raise DatasetNotFoundError(f"nothing at {path}.") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            num_rows = len(self.sizes)
            self.damage = DatasetError(
                f"{path}, row {num_rows + 1}: the file is damaged after row {num_rows} and cannot "
                f"be unpacked any further ({error}); get it again."
            )
            self.damage.__cause__ = error
        except OSError as error:
            unpacked = f" or unpacked into {tempfile.gettempdir()} (TMPDIR)" if is_gzip else ""
            raise DatasetError(f"{path} cannot be read{unpacked}: {error}.") from error
        weakref.finalize(self, self._file.close)
        self.sha256 = self._digest.hexdigest()

    def _index(self, lines: IO[bytes] | gzip.GzipFile, copy_to: IO[bytes] | None = None) -> None:
        """Note where each line starts."""
        start = size = 0
        is_blank = True
        while piece := lines.readline(PIECE_BYTES):
            self._digest.update(piece)
            if copy_to is not None:
                copy_to.write(piece)
            size += len(piece)
            is_blank = is_blank and piece.isspace()
            if piece.endswith(b"\n"):
                self._add(start, size, is_blank=is_blank)
                start, size, is_blank = start + size, 0, True
        self._add(start, size, is_blank=is_blank)

    def _add(self, start: int, size: int, *, is_blank: bool) -> None:
        if not is_blank:
            self._starts.append(start)
            self.sizes.append(size)

    def largest_field(self, index: int) -> tuple[str | None, int]:
        """Key and bytes of the largest field of a line, which is not held in memory for it."""
        start, size = self._starts[index], self.sizes[index]
        offset = start - start % mmap.ALLOCATIONGRANULARITY
        length = start - offset + size
        with mmap.mmap(
            self._file.fileno(), length, access=mmap.ACCESS_READ, offset=offset
        ) as content:
            return largest_field(content, start - offset)

    def read(self, index: int) -> bytes:
        start, size = self._starts[index], self.sizes[index]
        if not hasattr(os, "pread"):  # Windows, where no fork shares the position either
            with self._lock:
                self._file.seek(start)
                return self._file.read(size)
        parts = []
        while size:
            # A position shared with forked processes or other threads would be moved by them.
            part = os.pread(self._file.fileno(), size, start)
            if not part:
                raise DatasetError(
                    f"{self._path} has become shorter since it was opened; open it again."
                )
            parts.append(part)
            start += len(part)
            size -= len(part)
        return b"".join(parts)
