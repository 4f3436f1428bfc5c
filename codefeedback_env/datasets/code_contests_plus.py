"""CodeContests+ (ByteDance Seed): CodeContests problems with tests built and validated anew."""

import re
from pathlib import Path

from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.checker_overlay import overlay_checker
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.input_output import problem_of_one_pool
from codefeedback_env.datasets.limit_texts import given, memory_limit_mib, time_limit_s
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.row_source import RowFormat, RowSource, find_rows
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.datasets.several_answers import CHECKER_NOT_USED
from codefeedback_env.problem import Problem, TestCase

_PYTHON3 = ("py3", "python3")

# Names that testlib's own checkers of tokens and integers give themselves. Others keep such a name
# while they do more, so the source must not show that either.
_COMPARES = re.compile(
    r'setName\s*\(\s*"compare (sequences of tokens|ordered sequences of signed int|two signed )'
)
_DOES_MORE = re.compile(
    r"\b(inf|sort|set|multiset|map|unordered_\w+|vector|bitset|double|float|f?abs|\w*upper\w*"
    r"|\w*lower\w*)\b",
    re.IGNORECASE,
)


def load_code_contests_plus(path: str | Path | None = None, split: str = "1x") -> ProblemSet:
    """The problems of one configuration.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``; in a directory a configuration may also be
            a directory ``1x`` or ``ccplus_1x`` with ``train-*.parquet`` or ``part-*.parquet``. None
            for ``data_directory("code_contests_plus")``.
        split: the configuration, ``1x`` to ``5x``; ``default`` has no tests.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    rows = find_rows(CODE_CONTESTS_PLUS, path, split, _open_configuration)
    return ProblemSet(cached(RowSource(rows, CODE_CONTESTS_PLUS, split=split)))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row.

    Its checker is a C++ program and is not run. ``Problem.source["testlib_checker"]`` says "plain
    comparison" where it compares tokens or integers, as is done here, and "not used" where it may
    take other answers than the stored one; problems without a checker lack the key.
    """
    if fields.raw("test_cases") is None:
        raise fields.error(
            "test_cases", "is missing or null; the configurations with tests are 1x to 5x."
        )
    tests = tuple(
        TestCase(stdin, expected_stdout)
        for stdin, expected_stdout in fields.records("test_cases", {"input": str, "output": str})
    )
    seconds = time_limit_s(fields, "time_limit")
    mebibytes = memory_limit_mib(fields, "memory_limit")
    is_number = isinstance(fields.raw("id"), int)
    problem_id = str(fields.integer("id")) if is_number else fields.required_text("id")
    title = fields.text("title") or ""
    checker = overlay_checker("code_contests", f"{problem_id}. {title}")
    return problem_of_one_pool(
        fields,
        problem_id,
        fields.required_text("description"),
        tests,
        time_limit_s=seconds,
        memory_limit_mib=mebibytes,
        checker=checker,
        source={
            "name": title,
            "judge": (fields.text("source") or "").lower(),
            "time_limit": given(seconds),
            "memory_limit": given(mebibytes),
            **_what_becomes_of(fields.text("checker") or ""),
        },
    )


def _what_becomes_of(testlib_checker: str) -> dict[str, str]:
    if not testlib_checker.strip():
        return {}
    if _COMPARES.search(testlib_checker) and not _DOES_MORE.search(testlib_checker):
        return {"testlib_checker": "plain comparison"}
    return CHECKER_NOT_USED


def read_references(fields: Fields) -> tuple[str, ...]:
    """The accepted Python 3 programs of a row."""
    return _programs(fields, "correct_submissions")


def has_reference(fields: Fields) -> bool:
    """Whether an accepted program is in Python 3, from the languages alone."""
    if not fields.has("correct_submissions"):
        return False
    languages = fields.records("correct_submissions", {"language": str})
    return any(language.lower() in _PYTHON3 for (language,) in languages)


def read_wrong(fields: Fields) -> tuple[str, ...]:
    """The rejected Python 3 programs of a row."""
    return _programs(fields, "incorrect_submissions")


def _programs(fields: Fields, field: str) -> tuple[str, ...]:
    if not fields.has(field):
        return ()
    return tuple(
        code
        for code, language in fields.records(field, {"code": str, "language": str})
        if language.lower() in _PYTHON3
    )


def _open_configuration(directory: Path, split: str) -> Rows | None:
    for place in (directory / split, directory / f"ccplus_{split}"):
        if place.is_dir():
            return open_rows(place, "part" if any(place.glob("part-*.parquet")) else "train")
    return None


CODE_CONTESTS_PLUS = RowFormat(
    dataset="code_contests_plus",
    title="CodeContests+",
    problem_columns=(
        *("id", "title", "description", "time_limit", "memory_limit", "test_cases", "checker"),
        "source",
    ),
    read_problem=read_problem,
    program_columns=("correct_submissions", "incorrect_submissions"),
    read_references=read_references,
    read_wrong=read_wrong,
    reference_columns=("correct_submissions.language",),
    has_reference=has_reference,
)
