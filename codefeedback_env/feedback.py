"""What the agent is told: the prompt, and the feedback after a reply.

The paper's texts are in its appendix C (Gehring et al. 2025, arXiv:2410.02089). Whatever is
inserted is inserted verbatim, trailing newlines included.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import TestResult, Verdict

FORMAT = (
    "Your code should be enclosed in triple backticks like so: ```python YOUR CODE HERE ```. "
    "Use the backticks for your code only."
)
PROMPT = (
    "Provide a Python solution for the following competitive programming question: {statement}.\n"
    + FORMAT
)
RETRY = "Give it another try.\n" + FORMAT
NO_CODE = "Could not parse your code.\n" + RETRY
SELF_TESTS = (
    "After your code, you may propose tests in a second block in triple backticks: a line Input: "
    "followed by the input, then a line Output: followed by the expected output, for each test. "
    "Your code will be run on them."
)
NO_SELF_TESTS = "No tests of yours could be parsed.\n\n"
SELF_TESTS_PASSED = "Your code passed all of your own tests.\n\n"

TIME_LIMIT_INFO = "Execution took too long"
MEMORY_LIMIT_INFO = "Out of memory"
OUTPUT_LIMIT_INFO = "Too much output"
SECURITY_INFO = "A forbidden operation was attempted"

TRUNCATION_MARK = "[...]"
TRACEBACK_MARK = "... <<truncated>>"
MAX_ERROR_CHARS = 512

FailedTest = tuple[TestCase, TestResult]
"""A test that may be shown, and how the program did on it."""


class FeedbackFormat(Protocol):
    """Turns problems and results into messages."""

    def prompt(self, problem: Problem) -> str:
        """The first message of an episode."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """The message after a program; ``shown`` are all tests run that may be shown."""

    def no_code(self) -> str:
        """The message after a reply without a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFeedback:
    """Every failing test with input and error, as in the paper's appendix C.2.

    ``truncate_*`` cut what is inserted; None inserts it whole.
    """

    truncate_input_chars: int | None = None
    truncate_output_chars: int | None = None
    truncate_error_chars: int | None = MAX_ERROR_CHARS

    def prompt(self, problem: Problem) -> str:
        """See FeedbackFormat."""
        return PROMPT.replace("{statement}", problem.statement)

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        entries = [self.entry(test, result) for test, result in shown if _failed(result)]
        listed = "\n".join(entries)
        return f"Your code failed the following tests:\n\n{listed}\n\n{RETRY}"

    def no_code(self) -> str:
        """See FeedbackFormat."""
        return NO_CODE

    def entry(self, test: TestCase, result: TestResult) -> str:
        """The lines about one failing test."""
        stdin = _head(test.stdin, self.truncate_input_chars)
        return f"- input `{stdin}` failed:\n{self.info(test, result)}"

    def info(self, test: TestCase, result: TestResult) -> str:
        """What went wrong on one test."""
        match result.verdict:
            case Verdict.TIME_LIMIT:
                return TIME_LIMIT_INFO
            case Verdict.MEMORY_LIMIT:
                return MEMORY_LIMIT_INFO
            case Verdict.OUTPUT_LIMIT:
                return OUTPUT_LIMIT_INFO
            case Verdict.SECURITY_VIOLATION:
                return SECURITY_INFO
            case Verdict.COMPILE_ERROR | Verdict.RUNTIME_ERROR:
                return truncate_error(_error_text(result), self.truncate_error_chars)
            case _:
                expected = _head(test.expected_stdout, self.truncate_output_chars)
                observed = _head(result.stdout, self.truncate_output_chars)
                return f"Expected output `{expected}` but got `{observed}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingAndPassingFeedback(PaperFeedback):
    """As the paper's, and the tests that passed are listed too."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        entries = [
            self.entry(test, result)
            if _failed(result)
            else f"- input `{_head(test.stdin, self.truncate_input_chars)}` passed"
            for test, result in shown
        ]
        listed = "\n".join(entries)
        return f"Your code had the following test results:\n\n{listed}\n\n{RETRY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFeedback(PaperFeedback):
    """How many tests failed, no details."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        num_failed = sum(_failed(result) for _, result in shown)
        return f"Your code failed {num_failed} of {len(shown)} tests.\n\n{RETRY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongFeedback(PaperFeedback):
    """That the program was wrong, nothing else."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        return f"This solution was wrong.\n\n{RETRY}"


FEEDBACK_FORMATS: dict[str, FeedbackFormat] = {
    "paper": PaperFeedback(),
    "failing-and-passing": FailingAndPassingFeedback(),
    "count": CountFeedback(),
    "wrong": WrongFeedback(),
}


def truncate_error(text: str, max_chars: int | None) -> str:
    """An error text of at most ``max_chars``.

    A traceback keeps its first line and as many last lines as fit; anything else keeps its head.
    """
    if max_chars is None or len(text) <= max_chars:
        return text
    if not text.startswith("Traceback"):
        return text[: max(max_chars - len(TRACEBACK_MARK), 0)] + TRACEBACK_MARK
    first, *lines = text.split("\n")
    room = max_chars - len(first) - len(TRACEBACK_MARK) - 2
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:  # the last line alone is too long: its head says what the error is
        last = next((line for line in reversed(lines) if line), "")
        kept = [last[: max(max_chars - len(first) - len(TRACEBACK_MARK) - 2, 0)]]
    return "\n".join([first, TRACEBACK_MARK, *reversed(kept)])


def _failed(result: TestResult) -> bool:
    return result.verdict is not Verdict.ACCEPTED


def _error_text(result: TestResult) -> str:
    text = result.stderr.rstrip("\n")
    if text:
        return text
    if result.signal is not None:
        return f"The program was killed by {_signal_name(result.signal)}."
    return f"The program exited with status {result.exit_code}."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _head(text: str, max_chars: int | None) -> str:
    if max_chars is None or len(text) <= max_chars:
        return text
    return text[:max_chars] + TRUNCATION_MARK
