"""Random access to the rows of a Dataset of the Hugging Face library ``datasets``."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.arrow_rows import rows_of
from codefeedback_env.datasets.optional_import import optional_import
from codefeedback_env.errors import DatasetError
from codefeedback_env.lookup import look_up

SCAN_ROWS = 64
"""Rows held at a time during a scan."""


def is_saved_dataset(directory: Path) -> bool:
    """Whether ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote this directory."""
    return any((directory / name).is_file() for name in ("state.json", "dataset_dict.json"))


class HuggingFaceRows:
    """The rows of a ``datasets.Dataset``, which maps its files into memory."""

    def __init__(self, dataset: Any, name: str = "Dataset") -> None:
        """The rows of ``dataset``; ``name`` says in errors where it comes from."""
        self.fingerprint: str = dataset._fingerprint  # with_format below would draw a new one
        """The Dataset's own, which its library derives from the data and every change of it."""

        self._dataset = dataset.with_format("arrow")
        self._name = name

    @classmethod
    def from_disk(cls, directory: Path, split: str) -> "HuggingFaceRows":
        """The rows of a directory written by ``save_to_disk``.

        Args:
            directory: of a Dataset, or of a DatasetDict.
            split: chooses from a DatasetDict; a Dataset holds one split anyway.

        Raises:
            UnknownNameError: the DatasetDict has no such split.
            DatasetError: the directory cannot be read.
        """
        library = optional_import("datasets", "reading a directory written by save_to_disk")
        try:
            dataset = library.load_from_disk(str(directory))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{directory} cannot be read as a saved Dataset ({error}); write it again with "
                "Dataset.save_to_disk."
            ) from error
        if isinstance(dataset, library.DatasetDict):
            dataset = look_up(f"split of {directory}", split, dataset)
        return cls(dataset, str(directory))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._dataset)

    def place(self, index: int) -> str:
        """Name of the Dataset and number of the row."""
        return f"{self._name}, row {index + 1}"

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One row; only the memory of the columns asked for is touched."""
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} in {self._name}, which has {len(self)}.")
        return self._rows_of(self._dataset[index : index + 1], columns, index)[0]

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All rows in order, a few at a time."""
        for number, table in enumerate(self._dataset.iter(SCAN_ROWS)):
            yield from self._rows_of(table, columns, number * SCAN_ROWS)

    def _rows_of(self, table: Any, columns: Sequence[str], start: int) -> list[dict[str, Any]]:
        names = dict.fromkeys(column.partition(".")[0] for column in columns)
        chosen = table.select([name for name in names if name in table.column_names])
        return rows_of(chosen, self.place, start)
