"""CodeContests (Li et al. 2022, arXiv:2203.07814): competitive programming with hidden tests."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.checker_overlay import overlay_checker
from codefeedback_env.datasets.code_contests_enums import difficulty_name, judge_name
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.limit_texts import given
from codefeedback_env.datasets.problem_set import ProblemSet, ProblemSummary, WrongProgram
from codefeedback_env.datasets.row_source import RowFormat, RowSource, find_rows
from codefeedback_env.datasets.rows import Rows
from codefeedback_env.datasets.several_answers import accepts_several_answers
from codefeedback_env.languages import LANGUAGES, Submission
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import Verdict

_POOLS = ("public_tests", "private_tests", "generated_tests")

_LANGUAGE_OF = {
    number: language.name
    for language in LANGUAGES.values()
    for number in language.code_contests_ids
}

_BYTES_PER_MIB = 2**20


def load_code_contests(
    path: str | Path | None = None, split: str = "train", *, name: str = "code_contests"
) -> ProblemSet:
    """The problems of one split.

    Args:
        path: a file or directory with the data, see ``rows.ACCEPTED``; None for
            ``$CODEFEEDBACK_DATA/code_contests``, or where that variable is not set
            ``~/.cache/codefeedback/code_contests``.
        split: ``train``, ``valid`` or ``test``; without a path also ``bundled``, the problems
            that ship with this package and are not part of CodeContests.
        name: what records call the problems, for data at ``path`` that is not CodeContests.

    Raises:
        UnknownNameError: there is no data, and no such split either.
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    if path is None and split == "bundled":
        # Here and not above, because the bundled problems are read through this module.
        from codefeedback_env.datasets.bundled.load import load_bundled

        return load_bundled()
    rows = find_rows(CODE_CONTESTS, path, split)
    return ProblemSet(cached(CodeContestsSource(rows, split=split, name=name)))


class CodeContestsSource(RowSource):
    """Rows in the format of CodeContests, as problems.

    The columns are those of ``deepmind/code_contests`` on the Hugging Face hub; ``name``,
    ``description``, ``public_tests`` and ``private_tests`` must be there. Tests and programs
    may be stored as an object of parallel lists or as a list of objects. Two keys of our own may be
    added: ``checker`` (name of a checker, or null) and a list ``verdict`` in
    ``incorrect_solutions`` (values of Verdict, or null).

    The name as stored is in ``Problem.source``, beside ``dataset``, ``split``, ``judge``,
    ``time_limit`` and ``memory_limit`` ("given" or "not given") and, only where they apply,
    ``translated``, ``input_file``, ``output_file``, ``checker`` ("overlay" where
    ``checker_overlay.toml`` and not the row names the checker) and ``dropped_tests``, the number of
    hidden tests that ``clean_hidden_tests`` took out. Summaries count the tests as stored, before
    that.
    """

    def __init__(self, rows: Rows, *, split: str, name: str = "code_contests") -> None:
        """The problems in ``rows``; ``name`` and ``split`` are what records call them."""
        super().__init__(rows, replace(CODE_CONTESTS, dataset=name), split=split)

    def references_in_row(self, index: int) -> tuple[Submission, ...]:
        """Programs that the original judge accepted, in languages we can run."""
        programs = _programs(self._fields(index, ("solutions",)), "solutions")
        return tuple(submission for submission, _ in programs)

    def wrong_programs_in_row(self, index: int) -> tuple[WrongProgram, ...]:
        """Programs that the original judge rejected, in languages we can run."""
        fields = self._fields(index, ("incorrect_solutions",))
        return tuple(WrongProgram(*program) for program in _programs(fields, "incorrect_solutions"))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row."""
    name = fields.required_text("name")
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
    return Problem(
        id=name,
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
        source={
            "name": name,
            "judge": judge_name(fields.integer("source") or 0, name),
            "time_limit": given(time_limit_s),
            "memory_limit": given(memory_limit_bytes or None),
            "translated": "yes" if fields.flag("is_description_translated") else "",
            "input_file": fields.text("input_file") or "",
            "output_file": fields.text("output_file") or "",
            "dropped_tests": str(hidden.num_dropped or ""),
            "checker": "overlay" if checker and not own_checker else "",
        },
    )


def read_summary(fields: Fields) -> ProblemSummary:
    """The summary of a row; tests are counted by their inputs."""
    num_public, num_private, num_generated = (
        fields.count(pool, "input") if _has_pool(fields, pool) else 0 for pool in _POOLS
    )
    name = fields.required_text("name")
    # What a row may still get wrong in these is an error when its problem or programs are read.
    checker = fields.raw("checker") or overlay_checker("code_contests", name)
    statement = fields.raw("description")
    return ProblemSummary(
        id=name,
        difficulty=_difficulty(fields),
        rating=fields.integer("cf_rating") or None,
        tags=_tags(fields),
        num_public_tests=num_public,
        num_private_tests=num_private,
        num_generated_tests=num_generated,
        judge=judge_name(fields.integer("source") or 0, name),
        has_unique_answer=not checker
        and isinstance(statement, str)
        and not accepts_several_answers(statement),
    )


def has_reference(fields: Fields) -> bool:
    """Whether a right program is in a language we can run, from the languages alone."""
    if not fields.has("solutions"):
        return False
    languages = fields.records("solutions", {"language": int})
    return any(language in _LANGUAGE_OF for (language,) in languages)


def _programs(fields: Fields, field: str) -> Iterator[tuple[Submission, Verdict | None]]:
    """The programs we can run, with the verdict where a row of ours says it."""
    if not fields.has(field):
        return
    records = fields.records(field, {"language": int, "solution": str}, {"verdict": str})
    for language, source_code, verdict in records:
        try:
            known_verdict = None if verdict is None else Verdict(verdict)
        except ValueError as error:
            raise fields.error(
                field, f"unknown verdict {verdict!r}; known: {', '.join(map(str, Verdict))}."
            ) from error
        if language in _LANGUAGE_OF:
            yield Submission(_LANGUAGE_OF[language], source_code), known_verdict


def _has_pool(fields: Fields, pool: str) -> bool:
    """False for generated tests that are left out; the other pools are asked for all the same."""
    return pool != "generated_tests" or fields.has(pool)


def _tests(fields: Fields, pool: str) -> tuple[TestCase, ...]:
    if not _has_pool(fields, pool):
        return ()
    records = fields.records(pool, {"input": str, "output": str})
    return tuple(TestCase(stdin, expected_stdout) for stdin, expected_stdout in records)


def _difficulty(fields: Fields) -> str | None:
    number = fields.integer("difficulty")
    return None if number is None else difficulty_name(number)


def _tags(fields: Fields) -> tuple[str, ...]:
    # Real rows hold empty tags too.
    return tuple(tag.strip() for tag in fields.texts("cf_tags") if tag.strip())


CODE_CONTESTS = RowFormat(
    dataset="code_contests",
    title="CodeContests",
    bundled_split="bundled",
    id_field="name",
    problem_columns=(
        *("name", "description", *_POOLS, "source", "difficulty", "cf_tags"),
        *("time_limit", "memory_limit_bytes", "is_description_translated"),
        *("input_file", "output_file", "checker"),
    ),
    read_problem=read_problem,
    # Inputs are short and outputs may be long, so the number of tests is read off the inputs.
    summary_columns=(
        *("name", "difficulty", "cf_rating", "cf_tags", "description", "source", "checker"),
        *(f"{pool}.input" for pool in _POOLS),
    ),
    read_summary=read_summary,
    reference_columns=("solutions.language",),
    has_reference=has_reference,
)
