"""The texts, byte for byte."""

import pytest

from codefeedback_env.feedback import (
    FEEDBACK_FORMATS,
    PaperFeedback,
    truncate_error,
)
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import TestResult, Verdict

FORMAT = (
    "Your code should be enclosed in triple backticks like so: ```python YOUR CODE HERE ```. "
    "Use the backticks for your code only."
)


def failing(verdict: Verdict, **details: object) -> TestResult:
    return TestResult(index=0, verdict=verdict, **details)  # type: ignore[arg-type]


def test_prompt_is_the_papers_with_the_statement_verbatim():
    problem = Problem(id="p", statement="Add {a} and `b`.\n\nInput\n\n1 2\n")
    assert PaperFeedback().prompt(problem) == (
        "Provide a Python solution for the following competitive programming question: "
        "Add {a} and `b`.\n\nInput\n\n1 2\n.\n" + FORMAT
    )


def test_no_code_text_is_the_papers():
    assert PaperFeedback().no_code() == (
        "Could not parse your code.\nGive it another try.\n" + FORMAT
    )


@pytest.mark.parametrize(
    ("result", "info"),
    [
        (
            failing(Verdict.WRONG_ANSWER, stdout="0 2 14 36 "),
            "Expected output `3\n` but got `0 2 14 36 `",
        ),
        (failing(Verdict.TIME_LIMIT), "Execution took too long"),
        (failing(Verdict.MEMORY_LIMIT), "Out of memory"),
        (
            failing(
                Verdict.RUNTIME_ERROR,
                stderr='Traceback (most recent call last):\n  File "solution.py", line 1, in '
                "<module>\n    1/0\nZeroDivisionError: division by zero\n",
            ),
            'Traceback (most recent call last):\n  File "solution.py", line 1, in <module>\n'
            "    1/0\nZeroDivisionError: division by zero",
        ),
        (failing(Verdict.RUNTIME_ERROR, exit_code=3), "The program exited with status 3."),
        (failing(Verdict.RUNTIME_ERROR, signal=11), "The program was killed by SIGSEGV."),
        (failing(Verdict.OUTPUT_LIMIT), "Too much output"),
        (failing(Verdict.SECURITY_VIOLATION), "A forbidden operation was attempted"),
    ],
)
def test_feedback_on_one_failing_test_is_the_papers(result, info):
    text = PaperFeedback().feedback([(TestCase("1 2\n", "3\n"), result)])
    assert text == (
        "Your code failed the following tests:\n\n"
        f"- input `1 2\n` failed:\n{info}\n\n"
        f"Give it another try.\n{FORMAT}"
    )


def test_all_failing_tests_are_listed_and_no_passing_one():
    shown = [
        (TestCase("1\n", "1\n"), failing(Verdict.WRONG_ANSWER, stdout="0\n")),
        (TestCase("2\n", "2\n"), failing(Verdict.ACCEPTED, stdout="2\n")),
        (TestCase("3\n", "3\n"), failing(Verdict.TIME_LIMIT)),
    ]
    assert PaperFeedback().feedback(shown) == (
        "Your code failed the following tests:\n\n"
        "- input `1\n` failed:\nExpected output `1\n` but got `0\n`\n"
        "- input `3\n` failed:\nExecution took too long\n\n"
        f"Give it another try.\n{FORMAT}"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "failing-and-passing",
            "Your code had the following test results:\n\n"
            "- input `1\n` failed:\nExpected output `1\n` but got `0\n`\n"
            "- input `2\n` passed\n\n",
        ),
        ("count", "Your code failed 1 of 2 tests.\n\n"),
        ("wrong", "This solution was wrong.\n\n"),
    ],
)
def test_further_formats_say_as_much_as_their_names(name, text):
    shown = [
        (TestCase("1\n", "1\n"), failing(Verdict.WRONG_ANSWER, stdout="0\n")),
        (TestCase("2\n", "2\n"), failing(Verdict.ACCEPTED, stdout="2\n")),
    ]
    expected = text + f"Give it another try.\n{FORMAT}"
    assert FEEDBACK_FORMATS[name].feedback(shown) == expected


def test_truncation_cuts_what_is_inserted_and_nothing_else():
    format_ = PaperFeedback(truncate_input_chars=3, truncate_output_chars=2)
    shown = [(TestCase("123456", "abcdef"), failing(Verdict.WRONG_ANSWER, stdout="xyz"))]
    assert "- input `123[...]` failed:\nExpected output `ab[...]` but got `xy[...]`" in (
        format_.feedback(shown)
    )


def test_long_traceback_keeps_its_first_line_and_its_last_ones():
    frames = "".join(f'  File "solution.py", line {i}, in f\n' for i in range(100))
    text = f"Traceback (most recent call last):\n{frames}ValueError: the cause"
    short = truncate_error(text, 512)
    assert len(short) <= 512
    assert short.startswith("Traceback (most recent call last):\n... <<truncated>>\n")
    assert short.endswith("line 99, in f\nValueError: the cause")


def test_traceback_with_one_huge_line_still_says_what_the_error_is():
    text = "Traceback (most recent call last):\n  f\nValueError: " + "x" * 10_000
    short = truncate_error(text, 512)
    assert len(short) <= 512
    assert "ValueError: xxx" in short


def test_long_text_without_traceback_keeps_its_head():
    assert truncate_error("a" * 600, 512) == "a" * (512 - 17) + "... <<truncated>>"


def test_error_text_is_cut_at_512_characters_by_default():
    result = failing(Verdict.RUNTIME_ERROR, stderr="y" * 5000)
    assert len(PaperFeedback().info(TestCase("", ""), result)) == 512
    assert len(PaperFeedback(truncate_error_chars=None).info(TestCase("", ""), result)) == 5000
