"""Finding out which tests a statement shows, for datasets that keep all tests in one list."""

from codefeedback_env.problem import TestCase

_MAX_GAP = 60
"""Characters between an example's input and its output: a heading, a fence, a rule."""


def shown_tests(statement: str, tests: tuple[TestCase, ...]) -> tuple[TestCase, ...]:
    """The tests that stand in the statement as examples.

    A test is an example where the statement has its input and, after a heading that says "output",
    its output; blanks and line ends do not count.
    """
    text = " ".join(statement.split())
    lower = text.lower()
    return tuple(test for test in tests if _shows(text, lower, test))


def public_tests(statement: str, tests: tuple[TestCase, ...]) -> tuple[tuple[TestCase, ...], str]:
    """The tests to make public, and where they come from, in words for ``Problem.source``.

    These are the examples of the statement; where it shows none, the first test is made public,
    since there is no feedback without public tests.
    """
    if shown := shown_tests(statement, tests):
        return shown, "examples of the statement"
    return tests[:1], "first test" if tests else "none"


def _shows(text: str, lower: str, test: TestCase) -> bool:
    wanted_input = " ".join(test.stdin.split())
    wanted_output = " ".join(test.expected_stdout.split())
    if not wanted_input or not wanted_output:
        return False
    start = text.find(wanted_input)
    while start >= 0:
        end = start + len(wanted_input)
        output = text.find(wanted_output, end, end + _MAX_GAP + len(wanted_output))
        if output >= 0 and "output" in lower[end:output]:
            return True
        start = text.find(wanted_input, start + 1)
    return False
