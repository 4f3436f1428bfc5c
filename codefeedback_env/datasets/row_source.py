"""The ProblemSource over rows of any one format, and where a dataset's rows are looked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from codefeedback_env.datasets.fetch import data_directory, how_to_get, splits_of
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.inspection import scan_rows
from codefeedback_env.datasets.problem_set import ProblemSummary, WrongProgram, summarise
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.errors import DatasetError, DatasetNotFoundError
from codefeedback_env.languages import Submission
from codefeedback_env.lookup import look_up
from codefeedback_env.problem import Problem

NO_ID = " "
"""The id that ``RowFormat.read_problem`` gives to a row without any; the source replaces it."""


def _no_programs(fields: Fields) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFormat:
    """How the rows of one dataset are read; every function is of a module, so it can be pickled."""

    dataset: str
    """The dataset's name in records, and of its directory."""

    title: str
    """The dataset's name as its authors write it."""

    problem_columns: tuple[str, ...]
    read_problem: Callable[[Fields], Problem]
    """The problem in a row, with the id as stored, or NO_ID where there is none."""

    bundled_split: str | None = None
    """A split that comes with the package and needs no data."""

    id_field: str = "id"
    """Where the id stands, for errors."""

    program_columns: tuple[str, ...] = ()
    read_references: Callable[[Fields], tuple[str, ...]] = _no_programs
    """The Python programs that the dataset calls right."""

    read_wrong: Callable[[Fields], tuple[str, ...]] = _no_programs
    """The Python programs that the dataset calls wrong."""

    summary_columns: tuple[str, ...] = ()
    """Where reading whole problems would cost too much; needs ``read_summary``."""

    read_summary: Callable[[Fields], ProblemSummary] | None = None

    reference_columns: tuple[str, ...] = ()
    """Where ``program_columns`` hold much more than what tells that there is a right program;
    needs ``has_reference``."""

    has_reference: Callable[[Fields], bool] | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What one row holds; the ids are the stored ones, which may come up again."""

    summary: ProblemSummary
    problem: Problem | None
    """None where only its summary can be read."""


class RowSource:
    """The problems in rows of one format.

    A problem's id is the one stored, without blanks around it; where an id comes up again, the
    later ones get " (2)", " (3)" and so on, and a row without any gets the dataset's name and the
    row's number, counted from 0. ``Problem.source`` says ``dataset`` and ``split``, beside what the
    format adds.
    """

    def __init__(
        self,
        rows: Rows,
        row_format: RowFormat,
        *,
        split: str,
        keep: Callable[[Fields], bool] | None = None,
    ) -> None:
        """The problems in those ``rows`` that ``keep`` accepts, by default all."""
        self.name = row_format.dataset
        self.split = split
        self.rows = rows
        self._format = row_format
        self._keep = keep

    @cached_property
    def _entries(self) -> tuple[tuple[int, ProblemSummary], ...]:
        """Row number and summary of each problem, read in one pass."""
        entries: list[tuple[int, ProblemSummary]] = []
        taken: set[str] = set()
        columns = self._format.summary_columns or self._format.problem_columns
        columns = (*columns, *self._reference_columns)
        for index, summary in scan_rows(self.rows, columns, self._read_entry):
            if summary is not None:
                problem_id = unique_id(summary.id, taken)
                taken.add(problem_id)
                entries.append((index, replace(summary, id=problem_id)))
        return tuple(entries)

    def _read_entry(self, index: int, fields: Fields) -> tuple[int, ProblemSummary | None]:
        """The row's number with its summary, None where the row is not kept."""
        if self._keep is not None and not self._keep(fields):
            return index, None
        if self._format.read_summary is not None:
            return index, self._complete(self._format.read_summary(fields), index, fields)
        return index, self._complete(summarise(self._format.read_problem(fields)), index, fields)

    def _complete(self, summary: ProblemSummary, index: int, fields: Fields) -> ProblemSummary:
        """With the id that a row without any gets, and what is known of its programs."""
        stored_id = self._stored_id(summary.id, index)
        return replace(summary, id=stored_id, has_reference=self._has_reference(fields))

    @property
    def _reference_columns(self) -> tuple[str, ...]:
        return self._format.reference_columns or self._format.program_columns

    def _has_reference(self, fields: Fields) -> bool | None:
        try:
            if self._format.has_reference is not None:
                return self._format.has_reference(fields)
            if self._format.read_references is _no_programs:
                return False
            return bool(self._format.read_references(fields))
        except DatasetError:
            return None  # who asks for the programs gets the error

    def read_row(self, index: int) -> RowProblem | None:
        """All that a cache keeps of a row, read in one go; None where the row is not kept.

        Raises:
            DatasetError: not even the summary can be read.
        """
        columns = (
            *self._format.problem_columns,
            *self._format.summary_columns,
            *self._reference_columns,
        )
        fields = self._fields(index, columns)
        if self._keep is not None and not self._keep(fields):
            return None
        if self._format.read_summary is None:
            problem = self._format.read_problem(fields)
            summary = self._complete(summarise(problem), index, fields)
            return RowProblem(summary, self._finish(problem, summary.id))
        summary = self._complete(self._format.read_summary(fields), index, fields)
        try:
            problem = self._format.read_problem(fields)
        except DatasetError:
            return RowProblem(summary, None)
        return RowProblem(summary, self._finish(problem, summary.id))

    @cached_property
    def summaries(self) -> tuple[ProblemSummary, ...]:
        """One summary for each problem, read in one pass at the first use."""
        return tuple(summary for _, summary in self._entries)

    @property
    def fingerprint(self) -> str:
        """That of the rows."""
        return self.rows.fingerprint

    def problem(self, position: int) -> Problem:
        """Read one problem; its programs are not read.

        Raises:
            DatasetError: a field is missing or wrong, or the file is no longer the one that the
                summaries come from.
        """
        index, summary = self._entries[position]
        return self.problem_in_row(index, summary.id)

    def problem_in_row(self, index: int, problem_id: str) -> Problem:
        """The problem in a row, whose id is known; see ``problem``."""
        fields = self._fields(index, self._format.problem_columns)
        problem = self._format.read_problem(fields)
        stored_id = self._stored_id(problem.id, index)
        if not problem_id.startswith(stored_id):
            raise fields.error(
                self._format.id_field,
                f"is {stored_id!r}, but was {problem_id!r} before; the file has changed.",
            )
        return self._finish(problem, problem_id)

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        """Python programs that the dataset calls right."""
        return self.references_in_row(self._entries[position][0])

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """Python programs that the dataset calls wrong."""
        return self.wrong_programs_in_row(self._entries[position][0])

    def references_in_row(self, index: int) -> tuple[Submission, ...]:
        """The ``reference_programs`` of the problem in a row."""
        fields = self._fields(index, self._format.program_columns)
        return tuple(Submission("python3", code) for code in self._format.read_references(fields))

    def wrong_programs_in_row(self, index: int) -> tuple[WrongProgram, ...]:
        """The ``wrong_programs`` of the problem in a row."""
        fields = self._fields(index, self._format.program_columns)
        return tuple(
            WrongProgram(Submission("python3", code)) for code in self._format.read_wrong(fields)
        )

    def _fields(self, index: int, columns: tuple[str, ...]) -> Fields:
        return Fields(self.rows.read(index, columns), self.rows.place(index))

    def _finish(self, problem: Problem, problem_id: str) -> Problem:
        source = {"dataset": self.name, "split": self.split, **problem.source}
        source = {key: value for key, value in source.items() if value}
        return replace(problem, id=problem_id, source=source)

    def _stored_id(self, stored: str, index: int) -> str:
        return stored.strip() or f"{self.name}/{index}"


def unique_id(name: str, taken: set[str]) -> str:
    """``name``, with a number where it is taken."""
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    return unique


def find_rows(
    row_format: RowFormat,
    path: str | Path | None,
    split: str,
    open_directory: Callable[[Path, str], Rows | None] | None = None,
) -> Rows:
    """The rows of one split.

    Args:
        row_format: of the dataset.
        path: a file or directory; None for where ``data_directory`` says.
        split: which rows of a directory.
        open_directory: opens a directory in a layout of the dataset's own, or gives None where it
            is in no such layout.

    Raises:
        DatasetNotFoundError: there is no data; the message says where it was looked for and how to
            get it.
        UnknownNameError: nor is there such a split, so that ``path`` was not given.
    """
    place = data_directory(row_format.dataset) if path is None else Path(path).expanduser()
    try:
        if open_directory is not None and place.is_dir():
            rows = open_directory(place.absolute(), split)
            if rows is not None:
                return rows
        return open_rows(place, split)
    except DatasetNotFoundError as error:
        if path is not None:
            raise
        bundled = row_format.bundled_split
        known = (*splits_of(row_format.dataset), *([] if bundled is None else [bundled]))
        look_up(f"split of {row_format.title}", split, dict.fromkeys(known))
        offline = "" if bundled is None else f' split="{bundled}" works offline.'
        raise DatasetNotFoundError(
            f"no {row_format.title} split {split!r} on this machine: looked for {split}.jsonl, "
            f"{split}.jsonl.gz and {split}-*.parquet in {place} (the environment variable "
            f"CODEFEEDBACK_DATA moves it). {how_to_get(row_format.dataset)}, or give path= a file "
            f"or directory that holds it; docs/datasets.md lists the layouts.{offline}"
        ) from error
