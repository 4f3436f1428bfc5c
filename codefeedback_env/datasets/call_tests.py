"""Tests that call a function with JSON arguments and compare what it returns."""

import re
from collections.abc import Sequence
from typing import Any

from codefeedback_env.datasets.json_columns import to_json
from codefeedback_env.problem import TestCase

_FUNCTION = re.compile(r"^[ \t]*def\s+(\w+)\s*\(", re.MULTILINE)


def call_test(arguments: Sequence[Any], result: Any) -> TestCase:
    """The test that calls with ``arguments`` and wants ``result``, both as JSON allows them."""
    return TestCase("\n".join(map(to_json, arguments)), to_json(result))


def with_starter_code(statement: str, starter_code: str, name: str) -> str:
    """The statement, followed by what a program must define.

    Args:
        statement: as the dataset words it.
        starter_code: the beginning of a program; may be blank.
        name: of the function that the tests call.
    """
    if starter_code.strip():
        return f"{statement.rstrip()}\n\nBegin with this code:\n\n{starter_code.strip()}\n"
    return f"{statement.rstrip()}\n\nWrite a function `{name}`.\n"


def function_name(starter_code: str) -> str | None:
    """The name of the first function in a piece of code that may be unfinished."""
    match = _FUNCTION.search(starter_code)
    return match[1] if match else None
