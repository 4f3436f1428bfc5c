"""CodeContests (Li et al. 2022, arXiv:2203.07814): competitive programming with hidden tests."""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.checker_overlay import overlay_checker
from codefeedback_env.datasets.code_contests_enums import difficulty_name, judge_name
from codefeedback_env.datasets.fetch import data_directory
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.inspection import scan_rows
from codefeedback_env.datasets.problem_set import ProblemSet, ProblemSummary, WrongProgram
from codefeedback_env.datasets.row_source import RowProblem, unique_id
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.datasets.several_answers import accepts_several_answers
from codefeedback_env.errors import DatasetError, DatasetNotFoundError
from codefeedback_env.languages import LANGUAGES, Submission
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import Verdict

_POOLS = ("public_tests", "private_tests", "generated_tests")

# Inputs are short and outputs may be long, so the number of tests is read off the inputs.
_SUMMARY_COLUMNS = (
    *("name", "difficulty", "cf_rating", "cf_tags", "description", "source", "checker"),
    *(f"{pool}.input" for pool in _POOLS),
    "solutions.language",
)
_PROBLEM_COLUMNS = (
    *("name", "description", *_POOLS, "source", "difficulty", "cf_tags"),
    *("time_limit", "memory_limit_bytes", "is_description_translated"),
    *("input_file", "output_file", "checker"),
)

_LANGUAGE_OF = {
    number: language.name
    for language in LANGUAGES.values()
    for number in language.code_contests_ids
}

_BYTES_PER_MIB = 2**20


def load_code_contests(path: str | Path | None = None, split: str = "train") -> ProblemSet:
    """The problems of one split.

    Args:
        path: a file or directory with the data, see ``rows.ACCEPTED``; None for
            ``$CODEFEEDBACK_DATA/code_contests``, or where that variable is not set
            ``~/.cache/codefeedback/code_contests``.
        split: ``train``, ``valid`` or ``test``; without a path also ``bundled``, the problems
            that ship with this package and are not part of CodeContests.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    if path is not None:
        return ProblemSet(cached(CodeContestsSource(open_rows(path, split), split=split)))
    if split == "bundled":
        # Here and not above, because the bundled problems are read through this module.
        from codefeedback_env.datasets.bundled.load import load_bundled

        return load_bundled()
    directory = data_directory("code_contests")
    try:
        rows = open_rows(directory, split)
    except DatasetNotFoundError as error:
        raise DatasetNotFoundError(
            f"no CodeContests split {split!r} on this machine: looked for {split}-*.parquet in "
            f"{directory} (the environment variable CODEFEEDBACK_DATA moves it). Get it with "
            "`codefeedback data fetch code_contests`, or give path= a file or directory that "
            'holds it; split="bundled" works offline.'
        ) from error
    return ProblemSet(cached(CodeContestsSource(rows, split=split)))


class CodeContestsSource:
    """Rows in the format of CodeContests, as problems.

    The columns are those of ``deepmind/code_contests`` on the Hugging Face hub. Tests and programs
    may be stored as an object of parallel lists or as a list of objects. Two keys of our own may be
    added: ``checker`` (name of a checker, or null) and a list ``verdict`` in
    ``incorrect_solutions`` (values of Verdict, or null).

    A problem's id is its name without blanks around it; where a name comes up again, the later
    ones get " (2)", " (3)" and so on. The name as stored is in ``Problem.source``, beside
    ``dataset``, ``split``, ``judge``, ``time_limit`` and ``memory_limit`` ("given" or "not given")
    and, only where they apply, ``translated``, ``input_file``, ``output_file``, ``checker``
    ("overlay" where ``checker_overlay.toml`` and not the row names the checker) and
    ``dropped_tests``, the number of hidden tests that ``clean_hidden_tests`` took out. Summaries
    count the tests as stored, before that.
    """

    def __init__(self, rows: Rows, *, split: str, name: str = "code_contests") -> None:
        """The problems in ``rows``; ``name`` and ``split`` are what records call them."""
        self.name = name
        self.split = split
        self.rows = rows

    @cached_property
    def _entries(self) -> tuple[tuple[int, ProblemSummary], ...]:
        """Row number and summary of each problem, read in one pass."""
        entries: list[tuple[int, ProblemSummary]] = []
        ids: set[str] = set()
        for index, summary in scan_rows(self.rows, _SUMMARY_COLUMNS, _read_entry):
            problem_id = unique_id(summary.id, ids)
            ids.add(problem_id)
            entries.append((index, replace(summary, id=problem_id)))
        return tuple(entries)

    @cached_property
    def summaries(self) -> tuple[ProblemSummary, ...]:
        """One summary for each row, read in one pass at the first use."""
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
        return self._problem(self._fields(index, _PROBLEM_COLUMNS), problem_id)

    def read_row(self, index: int) -> RowProblem:
        """All that a cache keeps of a row, read in one go.

        Raises:
            DatasetError: not even the summary can be read.
        """
        fields = self._fields(index, (*_PROBLEM_COLUMNS, *_SUMMARY_COLUMNS))
        _, summary = _read_entry(index, fields)
        try:
            return RowProblem(summary, self._problem(fields, summary.id))
        except DatasetError:
            return RowProblem(summary, None)

    def _problem(self, fields: Fields, problem_id: str) -> Problem:
        name = fields.required_text("name")
        if not problem_id.startswith(name.strip()):
            raise fields.error(
                "name", f"is {name!r}, but was {problem_id!r} before; the file has changed."
            )
        own_checker = fields.text("checker") or None
        checker = own_checker or overlay_checker("code_contests", name)
        public, private, generated = (_tests(fields, pool) for pool in _POOLS)
        hidden = clean_hidden_tests(
            public, private, generated, several_right_outputs=checker is not None
        )
        time_limit_s = fields.seconds("time_limit")
        memory_limit_bytes = fields.integer("memory_limit_bytes") or 0
        if memory_limit_bytes < 0:
            raise fields.error("memory_limit_bytes", f"is {memory_limit_bytes}, less than 0.")
        source = {
            "dataset": self.name,
            "split": self.split,
            "name": name,
            "judge": judge_name(fields.integer("source") or 0, name),
            "time_limit": "given" if time_limit_s else "not given",
            "memory_limit": "given" if memory_limit_bytes else "not given",
            "translated": "yes" if fields.flag("is_description_translated") else "",
            "input_file": fields.text("input_file") or "",
            "output_file": fields.text("output_file") or "",
            "dropped_tests": str(hidden.num_dropped or ""),
            "checker": "overlay" if checker and not own_checker else "",
        }
        return Problem(
            id=problem_id,
            statement=fields.required_text("description"),
            public_tests=public,
            private_tests=hidden.private_tests,
            generated_tests=hidden.generated_tests,
            time_limit_s=time_limit_s,
            # Upwards: Codeforces' 256000000 bytes are 244.1 MiB, and nobody shall get less.
            memory_limit_mib=math.ceil(memory_limit_bytes / _BYTES_PER_MIB) or None,
            checker=checker,
            difficulty=_difficulty(fields),
            tags=_tags(fields),
            source={key: value for key, value in source.items() if value},
        )

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        """Programs that the original judge accepted, in languages we can run."""
        return self.references_in_row(self._entries[position][0])

    def references_in_row(self, index: int) -> tuple[Submission, ...]:
        """The ``reference_programs`` of the problem in a row."""
        return tuple(
            Submission(_LANGUAGE_OF[language], source_code)
            for language, source_code, _ in self._programs(index, "solutions")
        )

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """Programs that the original judge rejected, in languages we can run."""
        return self.wrong_programs_in_row(self._entries[position][0])

    def wrong_programs_in_row(self, index: int) -> tuple[WrongProgram, ...]:
        """The ``wrong_programs`` of the problem in a row."""
        programs = self._programs(index, "incorrect_solutions")
        return tuple(
            WrongProgram(Submission(_LANGUAGE_OF[language], source_code), verdict)
            for language, source_code, verdict in programs
        )

    def _programs(self, index: int, field: str) -> Iterable[tuple[int, str, Verdict | None]]:
        fields = self._fields(index, (field,))
        if not fields.has(field):
            return
        records = fields.records(field, {"language": int, "solution": str}, {"verdict": str})
        for language, source_code, verdict in records:
            try:
                known_verdict = None if verdict is None else Verdict(verdict)
            except ValueError as error:
                raise fields.error(
                    field,
                    f"unknown verdict {verdict!r}; known: {', '.join(map(str, Verdict))}.",
                ) from error
            if language in _LANGUAGE_OF:
                yield language, source_code, known_verdict

    def _fields(self, index: int, columns: tuple[str, ...]) -> Fields:
        return Fields(self.rows.read(index, columns), self.rows.place(index))


def _read_entry(index: int, fields: Fields) -> tuple[int, ProblemSummary]:
    """The row's number with its summary; the name may come up again."""
    num_public, num_private, num_generated = (fields.count(p, "input") for p in _POOLS)
    name = fields.required_text("name")
    # What a row may still get wrong in these is an error when its problem or programs are read.
    checker = fields.raw("checker") or overlay_checker("code_contests", name)
    statement = fields.raw("description")
    summary = ProblemSummary(
        id=name.strip(),
        difficulty=_difficulty(fields),
        rating=fields.integer("cf_rating") or None,
        tags=_tags(fields),
        num_public_tests=num_public,
        num_private_tests=num_private,
        num_generated_tests=num_generated,
        judge=judge_name(fields.integer("source") or 0, name),
        has_reference=_has_reference(fields),
        has_unique_answer=not checker
        and isinstance(statement, str)
        and not accepts_several_answers(statement),
    )
    return index, summary


def _has_reference(fields: Fields) -> bool | None:
    if not fields.has("solutions"):
        return False
    try:
        languages = fields.records("solutions", {"language": int})
    except DatasetError:
        return None  # who asks for the programs gets the error
    return any(language in _LANGUAGE_OF for (language,) in languages)


def _tests(fields: Fields, pool: str) -> tuple[TestCase, ...]:
    records = fields.records(pool, {"input": str, "output": str})
    return tuple(TestCase(stdin, expected_stdout) for stdin, expected_stdout in records)


def _difficulty(fields: Fields) -> str | None:
    number = fields.integer("difficulty")
    return None if number is None else difficulty_name(number)


def _tags(fields: Fields) -> tuple[str, ...]:
    # Real rows hold empty tags too.
    return tuple(tag.strip() for tag in fields.texts("cf_tags") if tag.strip())
