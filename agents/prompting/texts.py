"""Pieces of prompts, and what is found in answers to them."""

import re
from collections.abc import Sequence

from codefeedback_env import FORMAT, TestCase

MAX_EXAMPLE_CHARS = 500
"""Of an input or output that is shown to a model."""

_BLOCK = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_TEST = re.compile(
    r"input[^\n`]*\n+```[^\n`]*\n(?P<stdin>.*?)```\s*[^\n`]*output[^\n`]*\n+```[^\n`]*\n"
    r"(?P<stdout>.*?)```",
    re.DOTALL | re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

TESTS_FORMAT = (
    "Write each test as a line Input: with the input between triple backticks below it, then a "
    "line Output: with the expected output between triple backticks below it."
)
CODE_FORMAT = f"Read the input and print the output as the task says. {FORMAT}"


def blocks(text: str) -> list[str]:
    """What stands between triple backticks, each ending in one newline; empty ones are left out."""
    found = (match[1].strip("\n") for match in _BLOCK.finditer(text))
    return [block + "\n" for block in found if block]


def proposed_tests(text: str, most: int) -> list[TestCase]:
    """Different tests in ``TESTS_FORMAT``, the first ``most`` of them."""
    found = {
        match["stdin"].strip("\n") + "\n": match["stdout"].strip("\n") + "\n"
        for match in _TEST.finditer(text)
    }
    return [TestCase(stdin, stdout) for stdin, stdout in list(found.items())[:most]]


def first_number(text: str) -> float:
    """The first number in an answer; 0 where there is none."""
    found = _NUMBER.search(text)
    return float(found[0]) if found else 0.0


def examples(tests: Sequence[TestCase]) -> str:
    """The tests an agent knows, as a part of a prompt; "" where there are none."""
    shown = "".join(
        f"Input:\n```\n{_short(test.stdin)}\n```\nOutput:\n```\n{_short(test.expected_stdout)}\n"
        "```\n"
        for test in tests
    )
    return f"Known tests:\n{shown}\n" if shown else ""


def _short(text: str) -> str:
    text = text.rstrip("\n")
    return text if len(text) <= MAX_EXAMPLE_CHARS else text[:MAX_EXAMPLE_CHARS] + "[...]"
