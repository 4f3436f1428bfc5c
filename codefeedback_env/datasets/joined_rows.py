"""Rows made of other rows, and rows of one JSON document."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codefeedback_env.datasets.inspection import leave_out
from codefeedback_env.datasets.json_columns import parse_json
from codefeedback_env.datasets.row_limits import check_row_size
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from codefeedback_env.datasets.rows import Rows


class JoinedRows:
    """The rows of several files, one file after the other."""

    def __init__(self, parts: Sequence["Rows"]) -> None:
        """All rows of ``parts``."""
        self.parts = tuple(parts)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the parts' fingerprints."""
        return hashlib.sha256(" ".join(p.fingerprint for p in self.parts).encode()).hexdigest()

    def __len__(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.parts))

    def place(self, index: int) -> str:
        """File, and number of the row in it."""
        part, inner = self._part(index)
        return part.place(inner)

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One row."""
        part, inner = self._part(index)
        return part.read(inner, columns)

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All rows in order."""
        return chain.from_iterable(part.scan(columns) for part in self.parts)

    def _part(self, index: int) -> tuple["Rows", int]:
        start = 0
        for part in self.parts:
            if start <= index < start + len(part):
                return part, index - start
            start += len(part)
        raise IndexError(f"no row {index} in files which have {start}.")


class JsonListRows:
    """The entries of a file that is one JSON list of objects, read as a whole at the first use."""

    def __init__(self, path: Path) -> None:
        """The entries of ``path``."""
        self.path = path

    def __reduce__(self) -> tuple[type["JsonListRows"], tuple[Path]]:
        """By path: what was read stays here."""
        return JsonListRows, (self.path,)

    @cached_property
    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError as error:
            raise DatasetNotFoundError(f"nothing at {self.path}.") from error
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error}.") from error

    @cached_property
    def _entries(self) -> list[Any]:
        try:
            return list(parse_json(self._content))
        except ValueError as error:
            damage = DatasetError(f"{self.path} is not valid JSON ({error}).")
            damage.__cause__ = error
            leave_out(damage, self.path)
            return []

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self._content).hexdigest()

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def place(self, index: int) -> str:
        """Path and row number."""
        return f"{self.path}, row {index + 1}"

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One whole entry."""
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} in {self.path}, which has {len(self)}.")
        entry = self._entries[index]
        if not isinstance(entry, dict):
            raise DatasetError(
                f"{self.place(index)}: is a JSON {type(entry).__name__}; each entry of the list "
                "must be an object."
            )
        check_row_size(self.place(index), {key: _text_size(v) for key, v in entry.items()})
        return entry

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All entries in order."""
        return (self.read(index, columns) for index in range(len(self)))


def _text_size(value: Any) -> int:
    """About the bytes of a value: those of its texts."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_text_size, value.values()))
    return sum(map(_text_size, value)) if isinstance(value, list) else 0


def is_json_list(path: Path) -> bool:
    """Whether a file begins with a JSON list; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip().startswith(b"[")
    except OSError:
        return False
