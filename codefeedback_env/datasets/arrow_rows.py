"""From tables of pyarrow to rows, with errors that name file, row and field."""

from collections.abc import Callable
from typing import Any

from codefeedback_env.datasets.row_limits import check_row_size, max_row_bytes
from codefeedback_env.errors import DatasetError


def rows_of(table: Any, place: Callable[[int], str], start: int = 0) -> list[dict[str, Any]]:
    """The rows of a table or a batch; a column that was not asked for is not in it.

    Args:
        table: a ``pyarrow.Table`` or ``pyarrow.RecordBatch``.
        place: tells file and number of a row for errors.
        start: what ``place`` calls the first row.

    Raises:
        DatasetError: a row is too large, or holds what Python cannot, such as broken UTF-8.
    """
    if not table.num_columns:
        return [{} for _ in range(table.num_rows)]
    if table.nbytes <= max_row_bytes():
        try:
            rows: list[dict[str, Any]] = table.to_pylist()
            return rows
        except (ValueError, OverflowError):
            pass  # taken one by one they tell which it is
    return [_row(table.slice(number, 1), place(start + number)) for number in range(table.num_rows)]


def _row(row: Any, place: str) -> dict[str, Any]:
    columns = {name: row.column(name) for name in row.schema.names}
    check_row_size(place, {name: column.nbytes for name, column in columns.items()})
    values = {}
    for name, column in columns.items():
        try:
            (values[name],) = column.to_pylist()
        except (ValueError, OverflowError) as error:
            raise DatasetError(f"{place}, field {name!r} cannot be read ({error}).") from error
    return values
