"""APPS (Hendrycks et al. 2021, arXiv:2105.09938): programs for stdin and functions to be called."""

import ast
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.apps_folders import AppsFolderRows, problem_folders
from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.call_tests import call_test, function_name, with_starter_code
from codefeedback_env.datasets.checker_overlay import overlay_checker
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.input_output import read_input_output
from codefeedback_env.datasets.json_columns import parse_json, text_list
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.row_source import NO_ID, RowFormat, RowSource, find_rows
from codefeedback_env.datasets.rows import Rows
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase


def load_apps(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The problems of one split.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``, or the unpacked archive of the authors (a
            directory ``split`` with a folder for each problem, or that directory itself); None for
            ``data_directory("apps")``.
        split: ``train`` or ``test``.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    rows = find_rows(APPS, path, split, _open_folders)
    return ProblemSet(cached(RowSource(rows, APPS, split=split)))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row with the columns of the hub, or in one of MapCoder's layout."""
    if fields.has("sample_io"):
        return _read_mapcoder(fields)
    url = fields.text("url") or ""
    return read_input_output(
        fields,
        _text_of_id(fields, "problem_id" if fields.has("problem_id") else "id"),
        difficulty=_difficulty(fields),
        checker=overlay_checker("apps", url),
        source={
            "url": url,
            "time_limit": "not given",
            "memory_limit": "not given",
        },
    )


def read_references(fields: Fields) -> tuple[str, ...]:
    """The accepted programs of a row."""
    return text_list(fields, "solutions")


def _open_folders(directory: Path, split: str) -> Rows | None:
    for place in (directory / split, directory):
        if problem_folders(place):
            return AppsFolderRows(place)
    return None


def _read_mapcoder(fields: Fields) -> Problem:
    """A row with examples and tests in two lists, whose inputs are texts with a line an argument.

    The texts do not say which arguments are strings. A line is a string where it is no literal, and
    then so is that argument in every test; a string of digits is taken for a number.
    """
    starter_code = fields.required_text("starter_code")
    name = function_name(starter_code)
    if name is None:
        raise fields.error("starter_code", "defines no function.")
    num_arguments = _num_arguments(starter_code)
    pools = [
        fields.records(field, {"input": str, "output": object})
        for field in ("sample_io", "test_list")
    ]
    texts = [[_argument_texts(text, num_arguments) for text, _ in records] for records in pools]
    every = [arguments for pool in texts for arguments in pool]
    strings = {
        position
        for arguments in every
        for position, text in enumerate(arguments)
        if not _is_literal(text)
    }
    public, hidden = (
        tuple(
            call_test([t if i in strings else _literal(t) for i, t in enumerate(arguments)], output)
            for arguments, (_, output) in zip(argument_texts, records, strict=True)
        )
        for argument_texts, records in zip(texts, pools, strict=True)
    )
    return _mapcoder_problem(fields, name, starter_code, public, hidden)


def _mapcoder_problem(
    fields: Fields,
    name: str,
    starter_code: str,
    public: tuple[TestCase, ...],
    hidden: tuple[TestCase, ...],
) -> Problem:
    cleaned = clean_hidden_tests(public, hidden, ())
    return Problem(
        id=_text_of_id(fields, "id"),
        statement=with_starter_code(fields.required_text("description"), starter_code, name),
        public_tests=public,
        private_tests=cleaned.private_tests,
        difficulty=_difficulty(fields),
        function=FunctionTask(name=name, style=FunctionStyle.CALL, rule="apps"),
        source={
            "arguments": "types guessed",
            "time_limit": "not given",
            "memory_limit": "not given",
            "dropped_tests": str(cleaned.num_dropped or ""),
        },
    )


def _num_arguments(starter_code: str) -> int | None:
    """Of the first function of unfinished code; None where it cannot be told."""
    try:
        tree = ast.parse(starter_code.rstrip() + " pass\n")
    except (SyntaxError, ValueError):
        return None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not functions or functions[0].args.vararg is not None:
        return None
    return len(functions[0].args.args)


def _argument_texts(text: str, num_arguments: int | None) -> list[str]:
    return [text] if num_arguments == 1 else text.split("\n")


def _literal(text: str) -> Any:
    """The value of JSON or of a Python literal; ValueError where the text is neither."""
    try:
        return parse_json(text)
    except ValueError:
        pass
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"no literal: {text[:40]!r}") from error
    if not isinstance(value, str | int | float | bool | list | tuple | dict | None):
        raise ValueError(f"JSON has no {type(value).__name__}")
    return value


def _is_literal(text: str) -> bool:
    try:
        _literal(text)
    except ValueError:
        return False
    return True


def _text_of_id(fields: Fields, field: str) -> str:
    """An id that may be stored as a number or as a text."""
    if isinstance(fields.raw(field), str):
        return fields.required_text(field)
    number = fields.integer(field)
    return NO_ID if number is None else str(number)


def _difficulty(fields: Fields) -> str | None:
    return (fields.text("difficulty") or "").lower() or None


APPS = RowFormat(
    dataset="apps",
    title="APPS",
    problem_columns=(
        *("problem_id", "question", "input_output", "difficulty", "url", "starter_code"),
        *("id", "description", "sample_io", "test_list"),
    ),
    read_problem=read_problem,
    program_columns=("solutions",),
    read_references=read_references,
)
