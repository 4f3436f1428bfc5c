"""Looking at data as it is stored, where loading it for use refuses or cleans it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from codefeedback_env.datasets.fields import Fields
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from codefeedback_env.datasets.rows import Rows

T = TypeVar("T")

_PLACE_AND_FIELD = re.compile(r"(.*?, row \d+)(?:, field '([^']*)')?: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """A row that is no problem."""

    place: str
    """File and 1-based number; empty where the error names none."""

    field: str | None
    message: str

    @classmethod
    def from_message(cls, text: str) -> "UnreadableRow":
        """What the message of a DatasetError says."""
        match = _PLACE_AND_FIELD.fullmatch(text)
        if match is None:
            return cls(place="", field=None, message=text)
        return cls(place=match[1], field=match[2], message=match[3])


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
    for index in range(len(rows)):  # a scan would end at the first row that is no JSON
        try:
            entry = read(index, Fields(rows.read(index, columns), rows.place(index)))
        except DatasetNotFoundError:
            raise
        except DatasetError as error:
            left_out.append(UnreadableRow.from_message(str(error)))
        else:
            yield entry
