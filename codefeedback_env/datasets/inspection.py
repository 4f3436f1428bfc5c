"""Looking at data as it is stored, where loading it for use refuses or cleans it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codefeedback_env.datasets.fields import Fields, about_field
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from codefeedback_env.datasets.rows import Rows

T = TypeVar("T")

_PLACE_AND_FIELD = re.compile(r"(.*?, row \d+)(?:: |, field '([^']*)':? )(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """A row that is no problem, or a file that cannot be read from some row on."""

    place: str
    """File and 1-based number; the file alone where all of it is lost, or the problem's id."""

    field: str | None
    message: str

    @classmethod
    def from_message(cls, text: str, place: str) -> "UnreadableRow":
        """What the message of a DatasetError says; ``place`` where it names no row."""
        match = _PLACE_AND_FIELD.fullmatch(text)
        if match is None:
            return cls(place=place, field=None, message=text)
        return cls(place=match[1], field=match[2], message=match[3])

    @property
    def fault(self) -> str:
        """The message, with the field where the error names one."""
        return self.message if self.field is None else about_field(self.field, self.message)

    def __str__(self) -> str:
        """Place and fault, as the error said them."""
        return f"{self.place}{': ' if self.field is None else ', '}{self.fault}"


class LostRowsError(DatasetError):
    """Damage that takes several rows with it, which are stored together."""

    def __init__(self, message: str, next_index: int) -> None:
        """``next_index`` is that of the first row behind the damage."""
        super().__init__(message)
        self.next_index = next_index


_left_out: ContextVar[list[UnreadableRow] | None] = ContextVar("_left_out", default=None)
_keeps_all_tests: ContextVar[bool] = ContextVar("_keeps_all_tests", default=False)


@contextmanager
def leaving_out_unreadable_rows() -> Iterator[list[UnreadableRow]]:
    """Within, loading goes on after a row that cannot be read and adds it to the list given."""
    rows: list[UnreadableRow] = []
    token = _left_out.set(rows)
    try:
        yield rows
    finally:
        _left_out.reset(token)


def leave_out(error: DatasetError, file: Path) -> None:
    """Note that ``file``, or the rest of it, is lost.

    Raises:
        DatasetError: ``error``, unless ``leaving_out_unreadable_rows`` is on.
    """
    left_out = _left_out.get()
    if left_out is None:
        raise error
    left_out.append(UnreadableRow.from_message(str(error), place=str(file)))


def leaves_out_rows() -> bool:
    """Whether ``leaving_out_unreadable_rows`` is on."""
    return _left_out.get() is not None


@contextmanager
def keeping_all_tests() -> Iterator[None]:
    """Within, reading a problem drops no hidden test."""
    token = _keeps_all_tests.set(True)
    try:
        yield
    finally:
        _keeps_all_tests.reset(token)


def keeps_all_tests() -> bool:
    """Whether ``keeping_all_tests`` is on."""
    return _keeps_all_tests.get()


def scan_rows(
    rows: "Rows", columns: Sequence[str], read: Callable[[int, Fields], T]
) -> Iterator[T]:
    """What ``read`` makes of each row, given its number from 0.

    Raises:
        DatasetError: a row cannot be read, unless ``leaving_out_unreadable_rows`` is on.
    """
    left_out = _left_out.get()
    if left_out is None:
        for index, row in enumerate(rows.scan(columns)):
            yield read(index, Fields(row, rows.place(index)))
        return
    index = 0
    while index < len(rows):  # a scan would end at the first row that is no JSON
        next_index = index + 1
        try:
            entry = read(index, Fields(rows.read(index, columns), rows.place(index)))
        except DatasetNotFoundError:
            raise
        except DatasetError as error:
            left_out.append(UnreadableRow.from_message(str(error), place=rows.place(index)))
            if isinstance(error, LostRowsError):
                next_index = error.next_index
        else:
            yield entry
        index = next_index
