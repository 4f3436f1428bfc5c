"""CodeContests (Li et al. 2022, arXiv:2203.07814): competitive programming with hidden tests."""

import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from codefeedback_env.datasets.code_contests_enums import difficulty_name, judge_name
from codefeedback_env.datasets.fetch import data_directory
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.problem_set import ProblemSet, ProblemSummary, WrongProgram
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.errors import DatasetNotFoundError
from codefeedback_env.languages import LANGUAGES, Submission
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import Verdict

_POOLS = ("public_tests", "private_tests", "generated_tests")

# Inputs are short and outputs may be long, so the number of tests is read off the inputs.
_SUMMARY_COLUMNS = (
    *("name", "difficulty", "cf_rating", "cf_tags"),
    *(f"{pool}.input" for pool in _POOLS),
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
        return ProblemSet(CodeContestsSource(open_rows(path, split), split=split))
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
    return ProblemSet(CodeContestsSource(rows, split=split))


class CodeContestsSource:
    """Rows in the format of CodeContests, as problems.

    The columns are those of ``deepmind/code_contests`` on the Hugging Face hub. Tests and programs
    may be stored as an object of parallel lists or as a list of objects. Two keys of our own may be
    added: ``checker`` (name of a checker, or null) and a list ``verdict`` in
    ``incorrect_solutions`` (values of Verdict, or null).

    A problem's id is its name without blanks around it; where a name comes up again, the later
    ones get " (2)", " (3)" and so on. The name as stored is in ``Problem.source``, beside
    ``dataset``, ``split``, ``judge``, ``time_limit`` and ``memory_limit`` ("given" or "not given")
    and, only where they apply, ``translated``, ``input_file``, ``output_file`` and
    ``dropped_tests``, the number of hidden tests that ``clean_hidden_tests`` took out. Summaries
    count the tests as stored, before that.
    """

    def __init__(self, rows: Rows, *, split: str, name: str = "code_contests") -> None:
        """The problems in ``rows``; ``name`` and ``split`` are what records call them."""
        self.name = name
        self.split = split
        self._rows = rows

    @cached_property
    def summaries(self) -> tuple[ProblemSummary, ...]:
        """One summary for each row, read in one pass at the first use."""
        summaries: list[ProblemSummary] = []
        ids: set[str] = set()
        for index, row in enumerate(self._rows.scan(_SUMMARY_COLUMNS)):
            fields = Fields(row, self._rows.place(index))
            problem_id = _unique(fields.required_text("name").strip(), ids)
            ids.add(problem_id)
            num_public, num_private, num_generated = (fields.count(p, "input") for p in _POOLS)
            summaries.append(
                ProblemSummary(
                    id=problem_id,
                    difficulty=_difficulty(fields),
                    rating=fields.integer("cf_rating") or None,
                    tags=_tags(fields),
                    num_public_tests=num_public,
                    num_private_tests=num_private,
                    num_generated_tests=num_generated,
                )
            )
        return tuple(summaries)

    @property
    def fingerprint(self) -> str:
        """That of the rows."""
        return self._rows.fingerprint

    def problem(self, position: int) -> Problem:
        """Read one problem; its programs are not read.

        Raises:
            DatasetError: a field is missing or wrong, or the file is no longer the one that the
                summaries come from.
        """
        fields = Fields(self._rows.read(position, _PROBLEM_COLUMNS), self._rows.place(position))
        name = fields.required_text("name")
        problem_id = self.summaries[position].id
        if not problem_id.startswith(name.strip()):
            raise fields.error(
                "name", f"is {name!r}, but was {problem_id!r} before; the file has changed."
            )
        checker = fields.text("checker") or None
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
        return tuple(
            Submission(_LANGUAGE_OF[language], source_code)
            for language, source_code, _ in self._programs(position, "solutions")
        )

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """Programs that the original judge rejected, in languages we can run."""
        programs = self._programs(position, "incorrect_solutions")
        return tuple(
            WrongProgram(Submission(_LANGUAGE_OF[language], source_code), verdict)
            for language, source_code, verdict in programs
        )

    def _programs(self, position: int, field: str) -> Iterable[tuple[int, str, Verdict | None]]:
        fields = Fields(self._rows.read(position, (field,)), self._rows.place(position))
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


def _tests(fields: Fields, pool: str) -> tuple[TestCase, ...]:
    records = fields.records(pool, {"input": str, "output": str})
    return tuple(TestCase(stdin, expected_stdout) for stdin, expected_stdout in records)


def _difficulty(fields: Fields) -> str | None:
    number = fields.integer("difficulty")
    return None if number is None else difficulty_name(number)


def _tags(fields: Fields) -> tuple[str, ...]:
    # Real rows hold empty tags too.
    return tuple(tag.strip() for tag in fields.texts("cf_tags") if tag.strip())


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    return unique
