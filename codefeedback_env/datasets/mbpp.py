"""MBPP (Austin et al. 2021, arXiv:2108.07732), its sanitized version, and MBPP+."""

import ast
import re
from functools import partial
from pathlib import Path

from codefeedback_env.datasets.assert_tests import (
    assert_test,
    called_names,
    defined_names,
    parse_source,
    split_asserts,
)
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.plus_inputs import plus_inputs
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.reference_tests import (
    call_arguments,
    compared_as,
    joint_tests,
    reference_setup,
    with_types_of,
)
from codefeedback_env.datasets.row_source import RowFormat, RowSource, find_rows
from codefeedback_env.datasets.rows import Rows, open_rows
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

SPLITS = {
    "prompt": range(1, 11),
    "test": range(11, 511),
    "validation": range(511, 601),
    "train": range(601, 975),
}
"""Task ids of each split."""

_FILES = ("mbpp.jsonl", "sanitized-mbpp.json")

_WRONG_REFERENCES = ("Mbpp/164", "Mbpp/295")
"""Of version 0.1: these fail their own asserts, so what they return is not the right result."""


def load_mbpp(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The problems of MBPP, or of its sanitized version.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``, or a directory with the authors'
            ``mbpp.jsonl`` (else ``sanitized-mbpp.json``); None for ``data_directory("mbpp")``.
        split: ``prompt``, ``test``, ``validation`` or ``train``, which are ranges of task ids; any
            other name takes all rows of a file.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    rows = find_rows(MBPP, path, split, _open_release)
    keep = partial(_is_in, task_ids=SPLITS[split]) if split in SPLITS else None
    return ProblemSet(RowSource(rows, MBPP, split=split, keep=keep))


def load_mbpp_plus(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The problems of MBPP+.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``; None for ``data_directory("mbpp_plus")``.
        split: chooses the file in a directory; the dataset has ``test`` only.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    return ProblemSet(RowSource(find_rows(MBPP_PLUS, path, split), MBPP_PLUS, split=split))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row of any of the versions.

    Each assert is a public test, all of them together are the private one. Generated tests are the
    challenge tests of MBPP, and the plus inputs of MBPP+, compared with the reference program.
    """
    task = fields.required_text("text" if fields.has("text") else "prompt")
    code = _code(fields)
    if fields.has("assertion"):
        assertions = fields.required_text("assertion")
        field = "assertion"
    else:
        assertions = "\n".join(fields.texts("test_list"))
        field = "test_list"
    imports = "".join(f"{line}\n" for line in fields.texts("test_imports"))
    try:
        name = fields.text("entry_point") or _function_name(assertions, code)
        public = split_asserts(parse_source(assertions).body, name)
    except ValueError as error:
        raise fields.error(field, f"cannot be taken apart: {error}.") from error
    if not public:
        raise fields.error(field, f"holds no assert about the function {name!r}.")
    plus, setup = _plus_tests(fields, name, code, assertions)
    challenge = fields.texts("challenge_test_list")
    if challenge:
        plus = (*plus, assert_test("\n".join(challenge)))
    return Problem(
        id=_id(fields),
        statement=_statement(task, public),
        public_tests=public,
        private_tests=(assert_test(assertions.strip()),),
        generated_tests=plus,
        function=FunctionTask(
            name=name,
            style=FunctionStyle.ASSERTS,
            test_setup=imports + setup,
            program_setup=_unix_lines(fields.text("test_setup_code") or ""),
        ),
        source={"time_limit": "not given", "memory_limit": "not given"},
    )


def read_references(fields: Fields) -> tuple[str, ...]:
    """The reference program of a row."""
    return (_code(fields),)


def _plus_tests(
    fields: Fields, name: str, code: str, assertions: str
) -> tuple[tuple[TestCase, ...], str]:
    """The generated tests of MBPP+, and what they need before them."""
    if stored := fields.text("test"):
        return (assert_test(stored),), ""  # with the expected results
    inputs = plus_inputs(fields, "plus_input")
    if not inputs or _id(fields) in _WRONG_REFERENCES:
        return (), ""
    atol = fields.number("atol") or 0
    examples = call_arguments(assertions, name)
    convert = compared_as(assertions, name)
    condition = None
    if convert is not None:
        condition = f"same_result({convert}(result), {convert}(expected), {atol!r})"
    return (
        joint_tests(name, [with_types_of(arguments, examples) for arguments in inputs]),
        reference_setup(code, name, atol, condition),
    )


def _statement(task: str, public: tuple[TestCase, ...]) -> str:
    """The task with the tests that show what the function is called and takes."""
    text = _docstring(task).strip()
    if "assert " in text:
        return f"{text}\n"
    tests = "\n".join(test.stdin for test in public)
    return f"{text}\n\nYour code should pass these tests:\n\n{tests}\n"


def _docstring(task: str) -> str:
    """The text of a prompt; in MBPP+ it is a string literal."""
    if not task.lstrip().startswith(('"""', "'''")):
        return task
    try:
        value = ast.literal_eval(task.strip())
    except (SyntaxError, ValueError):
        return task
    return value if isinstance(value, str) else task


def _code(fields: Fields) -> str:
    field = "canonical_solution" if fields.has("canonical_solution") else "code"
    return _unix_lines(fields.required_text(field))


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _function_name(assertions: str, code: str) -> str:
    """The first function that the asserts call and the code defines."""
    defined = set(defined_names(code))
    for name in called_names(assertions):
        if name in defined:
            return name
    raise ValueError("it calls no function that the code defines")


def _id(fields: Fields) -> str:
    """``Mbpp/11``; MBPP itself stores the number alone."""
    number = fields.raw("task_id")
    if isinstance(number, str) and not number.isdecimal():
        return fields.required_text("task_id")
    return f"Mbpp/{_task_number(fields)}"


def _task_number(fields: Fields) -> int:
    stored = fields.raw("task_id")
    if isinstance(stored, str) and (match := re.fullmatch(r"(?:Mbpp/)?(\d{1,9})", stored)):
        return int(match[1])
    number = fields.integer("task_id")
    if number is None:
        raise fields.error("task_id", "is missing or null; it must be a number.")
    return number


def _is_in(fields: Fields, task_ids: range) -> bool:
    return _task_number(fields) in task_ids


def _open_release(directory: Path, split: str) -> Rows | None:
    for name in _FILES:
        if (directory / name).is_file():
            return open_rows(directory / name, split)
    return None


_PROGRAM_COLUMNS = ("code", "canonical_solution")

MBPP = RowFormat(
    dataset="mbpp",
    title="MBPP",
    problem_columns=(
        *("task_id", "text", "prompt", "code", "test_list", "test_setup_code"),
        *("test_imports", "challenge_test_list"),
    ),
    read_problem=read_problem,
    program_columns=_PROGRAM_COLUMNS,
    read_references=read_references,
)

MBPP_PLUS = RowFormat(
    dataset="mbpp_plus",
    title="MBPP+",
    problem_columns=(
        *("task_id", "prompt", "entry_point", "canonical_solution", "assertion", "plus_input"),
        *("atol", "code", "test_list", "test_imports", "test"),
    ),
    read_problem=read_problem,
    program_columns=_PROGRAM_COLUMNS,
    read_references=read_references,
)
