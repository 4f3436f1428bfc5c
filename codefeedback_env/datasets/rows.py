"""Random access to the rows of a dataset, whatever it is stored in."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from codefeedback_env.datasets.hugging_face_rows import HuggingFaceRows, is_saved_dataset
from codefeedback_env.datasets.joined_rows import JsonListRows, is_json_list
from codefeedback_env.datasets.json_lines_rows import JsonLinesRows
from codefeedback_env.datasets.parquet_rows import ParquetRows
from codefeedback_env.errors import DatasetError, DatasetNotFoundError

ACCEPTED = (
    "a file (.jsonl, .json with one object a line, either with .gz, .json with a list of objects, "
    "or .parquet), a directory of parquet files or with SPLIT.jsonl, or a directory written by "
    "Dataset.save_to_disk"
)

_JSON_LINES_ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
_SHARD_NUMBER = re.compile(r"-(\d+)-of-(\d+)")


class Rows(Protocol):
    """Rows that are read when asked for.

    Nothing is opened before the first use. An object may be pickled (it then opens its files
    again), forked and used by several threads.

    Columns are asked for by name; ``tests.input`` asks for the key ``input`` of a column that
    holds objects or lists of objects. Where that costs nothing, a row may hold more than was
    asked for. Columns that do not exist are left out.
    """

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest that changes when the data changes."""

    def __len__(self) -> int:
        """How many rows there are."""

    def place(self, index: int) -> str:
        """File and 1-based number of a row, for errors."""

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One row; IndexError unless ``0 <= index < len(rows)``."""

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All rows in order, read in one pass."""


def open_rows(path: str | Path, split: str) -> Rows:
    """The rows stored at ``path``.

    Args:
        path: a file, or a directory; see ``ACCEPTED``.
        split: chooses among the files of a directory; a single file holds one split anyway.

    Raises:
        DatasetNotFoundError: there is nothing at ``path``, or not this split.
        DatasetError: what is there is of another kind.
    """
    path = Path(path).expanduser().absolute()
    if path.is_dir():
        if is_saved_dataset(path):
            return HuggingFaceRows.from_disk(path, split)
        for file in (path / f"{split}{ending}" for ending in _JSON_LINES_ENDINGS):
            if file.is_file():
                return open_rows(file, split)
        return ParquetRows(find_shards(path, split))
    if not path.exists():
        raise DatasetNotFoundError(f"nothing at {path}; path= takes {ACCEPTED}.")
    if path.suffix == ".json" and is_json_list(path):
        return JsonListRows(path)
    if path.name.endswith(_JSON_LINES_ENDINGS):
        return JsonLinesRows(path)
    if path.suffix == ".parquet":
        return ParquetRows((path,))
    raise DatasetError(f"{path} is of no kind that can be read; path= takes {ACCEPTED}.")


def find_shards(directory: Path, split: str) -> tuple[Path, ...]:
    """The parquet files of one split, in the order of their names.

    Raises:
        DatasetNotFoundError: there are none.
        DatasetError: by their names (``-00002-of-00039``) some are missing.
    """
    files = (*directory.glob("*.parquet"), *directory.glob("data/*.parquet"))
    names = sorted(file.relative_to(directory).as_posix() for file in files)
    start = re.escape(split)
    for pattern in (rf"{start}-.*\.parquet", rf"{start}\.parquet", rf"data/{start}-.*\.parquet"):
        shards = [name for name in names if re.fullmatch(pattern, name)]
        if shards:
            _check_complete(directory, split, shards)
            return tuple(directory / name for name in shards)
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise DatasetNotFoundError(
        f"no split {split!r} in {directory}, which would be {split}-*.parquet, {split}.parquet or "
        f"data/{split}-*.parquet (parquet files there: {shown or 'none'}); path= takes {ACCEPTED}."
    )


def _check_complete(directory: Path, split: str, shards: Sequence[str]) -> None:
    numbers = [match.groups() for name in shards if (match := _SHARD_NUMBER.search(name))]
    totals = {int(total) for _, total in numbers}
    if not totals:
        return
    if len(totals) > 1 or len(numbers) > max(totals) or len(numbers) < len(shards):
        raise DatasetError(
            f"{directory} mixes several downloads of split {split!r} ({', '.join(shards)}); "
            "keep the files of one."
        )
    present = {int(number) for number, _ in numbers}
    missing = [number for number in range(max(totals)) if number not in present]
    if missing:
        raise DatasetError(
            f"split {split!r} in {directory} is incomplete: {len(present)} of {max(totals)} "
            f"parquet files are there, number {missing[0]} is the first that is missing; "
            "download the rest."
        )
