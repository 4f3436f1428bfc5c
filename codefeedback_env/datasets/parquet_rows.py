"""Random access to the rows of parquet files, by columns and row groups."""

import bisect
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.arrow_rows import rows_of
from codefeedback_env.datasets.inspection import LostRowsError, leave_out
from codefeedback_env.datasets.optional_import import optional_import
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

SCAN_ROWS = 64
"""Rows held at a time during a scan."""


@dataclass(frozen=True, slots=True)
class _RowGroup:
    path: Path
    metadata: Any
    number: int
    start: int
    """Index of its first row among all rows."""

    start_in_file: int

    @property
    def num_rows(self) -> int:
        return int(self.metadata.row_group(self.number).num_rows)

    def place(self, number: int) -> str:
        """Path of the file, and the number of a row in it, given that in the group from 0."""
        return f"{self.path}, row {self.start_in_file + number + 1}"


class ParquetRows:
    """The rows of one or more parquet files, one after the other.

    Only the columns asked for are read, down to single keys of nested ones. A row costs reading
    its row group, of which the last one is kept for each choice of columns: reading in order, or
    from files with small row groups, is cheap. Files are opened for each read and closed again.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """The rows of ``paths``, in this order."""
        self.paths = tuple(paths)
        self._last: dict[tuple[str, ...], tuple[_RowGroup, Any]] = {}

    def __reduce__(self) -> tuple[type["ParquetRows"], tuple[tuple[Path, ...]]]:
        """By paths: what was read stays here."""
        return ParquetRows, (self.paths,)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the size and the footer of each file.

        A footer holds the schema and the position, size and statistics of every column chunk; a
        change of data that leaves all of these as they were is not noticed.
        """
        digest = hashlib.sha256()
        for path in self.paths:
            # Without pyarrow, whose import alone takes more memory than a cache that is open.
            try:
                size = path.stat().st_size
                with path.open("rb") as file:
                    file.seek(max(0, size - 8))
                    footer_size = int.from_bytes(file.read(4), "little")
                    file.seek(max(0, size - 8 - footer_size))
                    digest.update(f"{size} ".encode() + file.read())
            except FileNotFoundError as error:
                raise DatasetNotFoundError(f"nothing at {path}.") from error
            except OSError as error:
                raise DatasetError(f"{path} cannot be read ({error}).") from error
        return digest.hexdigest()

    @cached_property
    def _groups(self) -> tuple[_RowGroup, ...]:
        parquet = _pyarrow_parquet()
        groups = []
        start = 0
        for path in self.paths:
            try:
                with _errors_name(path):
                    metadata = parquet.read_metadata(path)
            except DatasetNotFoundError:
                raise
            except DatasetError as error:
                leave_out(error, path)
                continue
            start_in_file = 0
            for number in range(metadata.num_row_groups):
                group = _RowGroup(path, metadata, number, start, start_in_file)
                groups.append(group)
                start += group.num_rows
                start_in_file += group.num_rows
        return tuple(groups)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(group.start for group in self._groups)

    @cached_property
    def _num_rows(self) -> int:
        if not self._groups:
            return 0
        last = self._groups[-1]
        return last.start + last.num_rows

    def __len__(self) -> int:
        """How many rows there are, by the footers."""
        return self._num_rows

    def place(self, index: int) -> str:
        """Path of the file, and the number of the row in it."""
        group = self._group_of(index)
        return group.place(index - group.start)

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One row, from its row group."""
        group = self._group_of(index)
        key = tuple(columns)
        # One look-up and one assignment: another thread can at worst make us read it again.
        last = self._last.get(key)
        if last is not None and last[0] is group:
            table = last[1]
        else:
            try:
                table = _read_group(group, columns)
            except LostRowsError as error:
                table = error  # nor is a damaged group read again for each of its rows
            self._last[key] = (group, table)
        if isinstance(table, LostRowsError):
            raise LostRowsError(str(table), table.next_index) from table
        number = index - group.start
        return rows_of(table.slice(number, 1), group.place, number)[0]

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All rows in order, a few at a time."""
        for group in self._groups:
            done = 0
            for batch in _batches(group, columns):
                yield from rows_of(batch, group.place, done)
                done += batch.num_rows

    def _group_of(self, index: int) -> _RowGroup:
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} in {self.paths}, which have {len(self)}.")
        return self._groups[bisect.bisect_right(self._starts, index) - 1]


def _pyarrow_parquet() -> Any:
    return optional_import("pyarrow.parquet", "reading parquet files")


def _read_group(group: _RowGroup, columns: Sequence[str]) -> Any:
    """The table of a row group.

    Raises:
        LostRowsError: it is damaged.
    """
    with _damage_names(group, columns), _open(group) as file:
        # Threads of pyarrow's own would be missing in a forked child.
        return file.read_row_group(group.number, columns=_leaves(file, columns), use_threads=False)


def _batches(group: _RowGroup, columns: Sequence[str]) -> Iterator[Any]:
    """The rows of a row group, a few at a time; errors as those of ``_read_group``."""
    with _damage_names(group, columns), _open(group) as file:
        yield from file.iter_batches(
            SCAN_ROWS, [group.number], columns=_leaves(file, columns), use_threads=False
        )


@contextmanager
def _damage_names(group: _RowGroup, columns: Sequence[str]) -> Iterator[None]:
    """Errors of the file tell the rows of the group and the column that is damaged."""
    try:
        with _errors_name(group.path):
            yield
    except DatasetNotFoundError:
        raise
    except DatasetError as error:
        column = next((c for c in columns if not _is_readable(group, c)), None)
        where = group.place(0) if column is None else f"{group.place(0)}, field {column!r}"
        raise LostRowsError(
            f"{where}: {error} All {group.num_rows} rows from here on that are stored together "
            "are lost.",
            group.start + group.num_rows,
        ) from error


def _is_readable(group: _RowGroup, column: str) -> bool:
    try:
        with _errors_name(group.path), _open(group) as file:
            file.read_row_group(group.number, columns=_leaves(file, [column]), use_threads=False)
    except DatasetError:
        return False
    return True


def _open(group: _RowGroup) -> Any:
    return _pyarrow_parquet().ParquetFile(group.path, metadata=group.metadata, pre_buffer=False)


def _leaves(file: Any, columns: Sequence[str]) -> list[str]:
    """Full paths of what is stored for ``columns``, such as ``tests.list.element.input``.

    The names in the middle depend on who wrote the file, so only the first and the rest of
    the asked name are matched.
    """
    leaves = []
    for number in range(len(file.schema)):
        path = file.schema.column(number).path
        first, *inner = path.split(".")
        for column in columns:
            name, _, key = column.partition(".")
            if first == name and (not key or key in inner):
                leaves.append(path)
                break
    return leaves


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    arrow_error = optional_import("pyarrow", "reading parquet files").ArrowException
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"nothing at {path}.") from error
    except (OSError, arrow_error) as error:
        raise DatasetError(
            f"{path} cannot be read as parquet ({error}); is the download complete?"
        ) from error
