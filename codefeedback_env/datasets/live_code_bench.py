"""LiveCodeBench (Jain et al. 2024, arXiv:2403.07974): dated problems of three contest sites."""

import datetime
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.call_tests import with_starter_code
from codefeedback_env.datasets.checker_overlay import overlay_checker
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.joined_rows import JoinedRows
from codefeedback_env.datasets.json_columns import json_column, parse_column
from codefeedback_env.datasets.packed_tests import unpack_text
from codefeedback_env.datasets.problem_set import ProblemSet, ProblemSummary
from codefeedback_env.datasets.row_source import RowFormat, RowSource, find_rows
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.datasets.several_answers import accepts_several_answers
from codefeedback_env.errors import ConfigError, DatasetNotFoundError
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

LATEST_RELEASE = "release_v6"

_RELEASE = re.compile(r"release_v([1-6])")
_MONTH_OR_DAY = r"\d{4}-\d{2}(?:-\d{2})?"
_WINDOW = re.compile(rf"({_MONTH_OR_DAY})?\.\.({_MONTH_OR_DAY})?")

_Tests = list[tuple[TestCase, str]]
"""Tests with their kind, "stdin" or "functional"."""


def load_live_code_bench(path: str | Path | None = None, split: str = LATEST_RELEASE) -> ProblemSet:
    """The problems of one release, or those of a span of time.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``, or a directory with ``test.jsonl``,
            ``test2.jsonl`` to ``test6.jsonl``, of which release n is the first n. A single file is
            taken whole, whatever release is asked for. None for
            ``data_directory("live_code_bench")``.
        split: ``release_v1`` to ``release_v6``; or a span of contest dates, both ends included and
            either left out, in months or days: ``2024-05..2024-10``, ``2024-09-15..``; or both:
            ``release_v5:2024-05..2024-10``. A span alone is one of the latest release.

    Raises:
        ConfigError: ``split`` has the form of a span, but is none.
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    release, window = _parse_split(split)
    keep = None if window is None else partial(_is_within, first=window[0], last=window[1])
    rows = find_rows(LIVE_CODE_BENCH, path, release, _open_release)
    return ProblemSet(cached(RowSource(rows, LIVE_CODE_BENCH, split=split, keep=keep)))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row."""
    public, private = _public_tests(fields), _private_tests(fields)
    kinds = {kind for _, kind in (*public, *private)}
    if len(kinds) > 1:
        raise fields.error(
            "public_test_cases", "some tests are of type stdin and others functional."
        )
    public_tests, private_tests = (tuple(test for test, _ in tests) for tests in (public, private))
    problem_id = fields.required_text("question_id")
    checker = overlay_checker("live_code_bench", problem_id)
    cleaned = clean_hidden_tests(
        public_tests, private_tests, (), several_right_outputs=checker is not None
    )
    statement = fields.required_text("question_content")
    function = None
    if kinds == {"functional"}:
        function = FunctionTask(name=_function_name(fields), style=FunctionStyle.CALL, rule="equal")
        statement = with_starter_code(statement, fields.text("starter_code") or "", function.name)
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public_tests,
        private_tests=cleaned.private_tests,
        checker=checker,
        difficulty=_difficulty(fields),
        function=function,
        source={
            "name": fields.text("question_title") or "",
            "checker": "overlay" if checker else "",
            "judge": (fields.text("platform") or "").lower(),
            "contest": fields.text("contest_id") or "",
            "date": _date(fields).isoformat(),
            "time_limit": "not given",
            "memory_limit": "not given",
            "dropped_tests": str(cleaned.num_dropped or ""),
        },
    )


def read_summary(fields: Fields) -> ProblemSummary:
    """The summary of a row; hidden tests are counted as stored and not parsed."""
    public, text = _public_tests(fields), _private_text(fields)
    problem_id = fields.required_text("question_id")
    return ProblemSummary(
        id=problem_id,
        difficulty=_difficulty(fields),
        num_public_tests=len(public),
        # Within a JSON string the quotes would be escaped, so this is found once for each test.
        num_private_tests=text.count('"testtype"'),
        judge=(fields.text("platform") or "").lower() or None,
        date=_date(fields),
        is_function=any(kind == "functional" for _, kind in public),
        has_unique_answer=overlay_checker("live_code_bench", problem_id) is None
        and not accepts_several_answers(fields.text("question_content") or ""),
    )


def _parse_split(split: str) -> tuple[str, tuple[datetime.date, datetime.date] | None]:
    """Release and span of time of a split."""
    if ".." not in split:
        return split, None
    release, colon, span = split.rpartition(":")
    match = _WINDOW.fullmatch(span)
    try:
        if match is None or (colon and not release):
            raise ValueError("not FIRST..LAST")
        first = datetime.date.min if match[1] is None else _first_day(match[1])
        last = datetime.date.max if match[2] is None else _last_day(match[2])
    except ValueError as error:
        raise ConfigError(
            f"split={split!r} is no span of time ({error}); write two months or days, such as "
            "'2024-05..2024-10' or 'release_v5:2024-09-15..'."
        ) from error
    if first > last:
        raise ConfigError(f"split={split!r} ends before it begins; swap its dates.")
    return release or LATEST_RELEASE, (first, last)


def _first_day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text if len(text) > 7 else f"{text}-01")


def _last_day(text: str) -> datetime.date:
    if len(text) > 7:
        return datetime.date.fromisoformat(text)
    in_next_month = _first_day(text) + datetime.timedelta(days=31)
    return in_next_month.replace(day=1) - datetime.timedelta(days=1)


def _is_within(fields: Fields, first: datetime.date, last: datetime.date) -> bool:
    return first <= _date(fields) <= last


def _date(fields: Fields) -> datetime.date:
    """The day of the contest, from an ISO text or what a parquet reader makes of a time stamp."""
    value = fields.raw("contest_date")
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    text = fields.required_text("contest_date")
    try:
        return datetime.datetime.fromisoformat(text).date()
    except ValueError as error:
        raise fields.error("contest_date", f"is {text!r}, no ISO date.") from error


def _open_release(directory: Path, release: str) -> Rows | None:
    """The first files of a directory with one file for what each release added."""
    names = ["test.jsonl", *(f"test{number}.jsonl" for number in range(2, 7))]
    present = [name for name in names if (directory / name).is_file()]
    match = _RELEASE.fullmatch(release)
    if match is None or not present:
        return None
    wanted = names[: int(match[1])]
    if missing := [name for name in wanted if name not in present]:
        raise DatasetNotFoundError(
            f"{release} needs {', '.join(wanted)} in {directory}, where {missing[0]} is missing."
        )
    return JoinedRows([open_rows(directory / name, release) for name in wanted])


def _public_tests(fields: Fields) -> _Tests:
    tests = json_column(fields, "public_test_cases")
    if tests is None:
        raise fields.error("public_test_cases", "is missing or blank; it must be a JSON list.")
    return _tests(fields, "public_test_cases", tests)


def _private_tests(fields: Fields) -> _Tests:
    text = _private_text(fields)
    if not text:
        return []
    return _tests(fields, "private_test_cases", parse_column(fields, "private_test_cases", text))


def _private_text(fields: Fields) -> str:
    """The JSON text of the hidden tests, which may be packed; empty where there are none."""
    text = (fields.text("private_test_cases") or "").strip()
    if not text or text.startswith("["):
        return text
    try:
        return unpack_text(text)
    except ValueError as error:
        raise fields.error("private_test_cases", f"cannot be unpacked: {error}.") from error


def _tests(fields: Fields, field: str, stored: Any) -> _Tests:
    if not isinstance(stored, list):
        raise fields.error(field, "its JSON is not a list of tests.")
    return [_test(fields, field, number, entry) for number, entry in enumerate(stored, 1)]


def _test(fields: Fields, field: str, number: int, entry: Any) -> tuple[TestCase, str]:
    values = _values(entry, ("input", "output", "testtype"))
    if values is None or values[2] not in ("stdin", "functional"):
        raise fields.error(
            field,
            f"test {number} must be an object with the strings input, output and testtype "
            "(stdin or functional).",
        )
    return TestCase(values[0], values[1]), values[2]


def _values(entry: Any, keys: Sequence[str]) -> list[str] | None:
    if not isinstance(entry, dict):
        return None
    values = [entry.get(key) for key in keys]
    return (
        [v for v in values if isinstance(v, str)]
        if all(isinstance(v, str) for v in values)
        else None
    )


def _function_name(fields: Fields) -> str:
    metadata = json_column(fields, "metadata")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise fields.error(
            "metadata", f"func_name is {name!r}; functional tests need the name of a function."
        )
    return name


def _difficulty(fields: Fields) -> str | None:
    return (fields.text("difficulty") or "").lower() or None


LIVE_CODE_BENCH = RowFormat(
    dataset="live_code_bench",
    title="LiveCodeBench",
    problem_columns=(
        *("question_id", "question_title", "question_content", "platform", "contest_id"),
        *("contest_date", "starter_code", "difficulty", "public_test_cases"),
        *("private_test_cases", "metadata"),
    ),
    read_problem=read_problem,
    summary_columns=(
        *("question_id", "contest_date", "difficulty", "public_test_cases", "platform"),
        *("private_test_cases", "question_content"),
    ),
    read_summary=read_summary,
)
