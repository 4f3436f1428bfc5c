"""Rows of APPS in the layout of its own archive: a folder for each problem."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.fields import about_field
from codefeedback_env.datasets.json_columns import parse_json
from codefeedback_env.datasets.row_limits import check_row_size
from codefeedback_env.errors import DatasetError

_FILES = {
    "question": "question.txt",
    "solutions": "solutions.json",
    "input_output": "input_output.json",
    "starter_code": "starter_code.py",
}
_METADATA = "metadata.json"
_FROM_METADATA = ("difficulty", "url")


class AppsFolderRows:
    """Folders such as ``0000`` with ``question.txt`` and the other files, as rows.

    The columns are those on the Hugging Face hub. Only the files of the columns asked for are read;
    a file that is not there leaves its column out.
    """

    def __init__(self, directory: Path) -> None:
        """The problems in ``directory``, in the order of the folders' names."""
        self.directory = directory

    def __reduce__(self) -> tuple[type["AppsFolderRows"], tuple[Path]]:
        """By path: what was read stays here."""
        return AppsFolderRows, (self.directory,)

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        return problem_folders(self.directory)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the names and sizes of all files; a change that keeps these is not noticed."""
        digest = hashlib.sha256()
        for folder in self._folders:
            for name in (*_FILES.values(), _METADATA):
                file = folder / name
                size = file.stat().st_size if file.is_file() else -1
                digest.update(f"{folder.name}/{name} {size}\n".encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        """How many problems there are."""
        return len(self._folders)

    def place(self, index: int) -> str:
        """The problem's folder, and its number."""
        return f"{self._folders[index]}, row {index + 1}"

    def read(self, index: int, columns: Sequence[str]) -> dict[str, Any]:
        """One problem, from its folder."""
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} in {self.directory}, which has {len(self)}.")
        folder = self._folders[index]
        row: dict[str, Any] = {"problem_id": folder.name}
        wanted = {
            column: name
            for column, name in _FILES.items()
            if column in columns and (folder / name).is_file()
        }
        sizes = {column: (folder / name).stat().st_size for column, name in wanted.items()}
        check_row_size(self.place(index), sizes)
        row.update((column, self._text(index, name)) for column, name in wanted.items())
        if any(column in columns for column in _FROM_METADATA) and (folder / _METADATA).is_file():
            try:
                metadata = parse_json(self._text(index, _METADATA))
            except ValueError as error:
                raise self._error(index, _METADATA, f"is not valid JSON ({error}).") from error
            if not isinstance(metadata, dict):
                raise self._error(index, _METADATA, "is not a JSON object.")
            row.update((key, metadata[key]) for key in _FROM_METADATA if key in metadata)
        return row

    def scan(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All problems in order."""
        return (self.read(index, columns) for index in range(len(self)))

    def _text(self, index: int, name: str) -> str:
        file = self._folders[index] / name
        try:
            return file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._error(index, name, f"cannot be read as UTF-8 ({error}).") from error

    def _error(self, index: int, name: str, message: str) -> DatasetError:
        return DatasetError(f"{self.place(index)}, {about_field(name, message)}")


def problem_folders(directory: Path) -> tuple[Path, ...]:
    """The folders of problems in ``directory``, in the order of their names.

    Where one has a statement, every folder with any of the files is a problem, also one whose
    statement is missing; else there are none.
    """
    if next(directory.glob(f"*/{_FILES['question']}"), None) is None:
        return ()
    names = (*_FILES.values(), _METADATA)
    return tuple(sorted({file.parent for name in names for file in directory.glob(f"*/{name}")}))
