"""Whether the tests of a function-style problem can be run at all, known before they are."""

import ast
import json
import warnings

from codefeedback_env.errors import ConfigError
from codefeedback_env.problem import FunctionStyle, Pool, Problem, TestCase


def check_function_tests(problem: Problem) -> None:
    """Look at every test of a problem.

    Raises:
        ConfigError: one cannot be run; the message names it.
    """
    if problem.function is None:
        return
    for pool in Pool:
        for number, test in enumerate(problem.tests(pool), start=1):
            if fault := fault_of(test, problem.function.style):
                raise ConfigError(
                    f"problem {problem.id!r}, {pool.value} test {number}: {fault}. Mend the test "
                    "or leave the problem out."
                )


def fault_of(test: TestCase, style: FunctionStyle) -> str | None:
    """What is wrong with a test, None where it can be run."""
    if style is FunctionStyle.ASSERTS:
        return _fault_of_source(test.stdin)
    for number, line in enumerate(test.stdin.split("\n"), start=1):
        if line.strip() and not _is_json(line):
            return f"line {number} of its stdin, an argument, is no JSON: {line[:60]!r}"
    if not _is_json(test.expected_stdout):
        return f"its expected result is no JSON: {test.expected_stdout[:60]!r}"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str)  # whose number of digits has a limit as an int
    except (ValueError, RecursionError):
        return False
    return True


def _fault_of_source(source: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return f"its source cannot be compiled ({error}): {source[:60]!r}"
    return None
