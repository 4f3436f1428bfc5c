"""Random access to the lines of a JSON Lines file, plain or gzipped."""

import gzip
import hashlib
import json
import os
import tempfile
import threading
import weakref
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from codefeedback_env.errors import DatasetError, DatasetNotFoundError


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
        return _Lines(self.path)

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
        line = self._lines.read(index)
        try:
            row = json.loads(line)
        except ValueError as error:  # also broken UTF-8, and numbers of more than 4300 digits
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
        self._lock = threading.Lock()
        is_gzip = path.name.endswith(".gz")
        try:
            if is_gzip:
                self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- stays open
                with gzip.open(path) as packed:
                    self.sha256 = self._index(packed, copy_to=self._file)
                self._file.flush()
            else:
                self._file = path.open("rb")
                self.sha256 = self._index(self._file)
        except FileNotFoundError as error:
            raise DatasetNotFoundError(f"nothing at {path}.") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DatasetError(
                f"{path} is damaged after row {len(self.sizes)}: it cannot be unpacked "
                f"({error}); get the file again."
            ) from error
        except OSError as error:
            unpacked = f" or unpacked into {tempfile.gettempdir()} (TMPDIR)" if is_gzip else ""
            raise DatasetError(f"{path} cannot be read{unpacked}: {error}.") from error
        weakref.finalize(self, self._file.close)

    def _index(self, lines: Iterable[bytes], copy_to: IO[bytes] | None = None) -> str:
        """Note where each line starts; returns the digest."""
        digest = hashlib.sha256()
        start = 0
        for line in lines:
            digest.update(line)
            if copy_to is not None:
                copy_to.write(line)
            if line.strip():
                self._starts.append(start)
                self.sizes.append(len(line))
            start += len(line)
        return digest.hexdigest()

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
