"""What the agent is told: the prompt, and the feedback after a reply.

The paper's texts are in its appendix C (Gehring et al. 2025, arXiv:2410.02089). Whatever is
inserted is inserted verbatim, trailing newlines included.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol, Self

from codefeedback_env.problem import FunctionStyle, Problem, TestCase
from codefeedback_env.verdicts import TestResult, Verdict

FORMAT = (
    "Your code should be enclosed in triple backticks like so: ```python YOUR CODE HERE ```. "
    "Use the backticks for your code only."
)
PROMPT = (
    "Provide a Python solution for the following competitive programming question: {statement}.\n"
    + FORMAT
)
TRY_AGAIN = "Give it another try."
RETRY = TRY_AGAIN + "\n" + FORMAT
NOT_PARSED = "Could not parse your code.\n"
NO_CODE = NOT_PARSED + RETRY
HUMAN_EVAL_PROMPT = (
    "Write a solution to the following problem and make sure that it passes the tests:\n{statement}"
)
MBPP_PROMPT = (
    "Provide a Python solution for the following problem: {statement}\n"
    "Your code should pass these tests:\n\n{test}\n\n" + FORMAT
)
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

LIMIT_INFOS = {
    Verdict.TIME_LIMIT: TIME_LIMIT_INFO,
    Verdict.MEMORY_LIMIT: MEMORY_LIMIT_INFO,
    Verdict.OUTPUT_LIMIT: OUTPUT_LIMIT_INFO,
    Verdict.SECURITY_VIOLATION: SECURITY_INFO,
}

TRUNCATION_MARK = "[...]"
TRACEBACK_MARK = "... <<truncated>>"
MAX_ERROR_CHARS = 512

FailedTest = tuple[TestCase, TestResult]
"""A test that may be shown, and how the program did on it."""


class Wording(Enum):
    """Whose words a message is in."""

    CODE_CONTESTS = "appendices C.1 and C.2"
    HUMAN_EVAL = "appendix C.4"
    """Test code, and replies that go on from a prefix, so no word on their format."""

    MBPP = "appendix C.5"
    """Test code."""

    @staticmethod
    def of(problem: Problem) -> "Wording":
        """The one for a problem, by how it is tested."""
        function = problem.function
        if function is None or function.style is FunctionStyle.CALL:
            return Wording.CODE_CONTESTS
        return Wording.HUMAN_EVAL if function.reply_prefix else Wording.MBPP

    @property
    def retry(self) -> str:
        """The last lines of every message after a reply."""
        return TRY_AGAIN if self is Wording.HUMAN_EVAL else RETRY


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
    """Every failing test with input and error, as in the paper's appendix C.

    ``truncate_*`` cut what is inserted; None inserts it whole.
    """

    wording: Wording = field(default=Wording.CODE_CONTESTS, repr=False)
    """That of the problem at hand, see ``for_problem``; prompts find theirs by themselves."""

    truncate_input_chars: int | None = None
    truncate_output_chars: int | None = None
    truncate_error_chars: int | None = MAX_ERROR_CHARS

    def prompt(self, problem: Problem) -> str:
        """See FeedbackFormat."""
        match Wording.of(problem):
            case Wording.CODE_CONTESTS:
                return PROMPT.replace("{statement}", problem.statement)
            case Wording.HUMAN_EVAL:
                return HUMAN_EVAL_PROMPT.replace("{statement}", problem.statement)
            case Wording.MBPP:
                test = problem.public_tests[0].stdin if problem.public_tests else ""
                before, after = MBPP_PROMPT.split("{test}")
                return before.replace("{statement}", problem.statement) + test + after

    def for_problem(self, problem: Problem) -> Self:
        """The same format in the words for a problem."""
        wording = Wording.of(problem)
        return self if wording is self.wording else replace(self, wording=wording)

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        if self.wording is not Wording.CODE_CONTESTS:
            listed = "\n".join(self.test_code_entry(test, result) for test, result in shown)
            return f"Your code failed some test cases:\n\n{listed}\n\n{self.wording.retry}"
        entries = [self.entry(test, result) for test, result in shown if _failed(result)]
        listed = "\n".join(entries)
        return f"Your code failed the following tests:\n\n{listed}\n\n{self.wording.retry}"

    def no_code(self) -> str:
        """See FeedbackFormat."""
        return NOT_PARSED + self.wording.retry

    def test_code_entry(self, test: TestCase, result: TestResult) -> str:
        """The lines about a test that is code, passed or not."""
        code = _head(test.stdin, self.truncate_input_chars)
        if not _failed(result):
            return f"- Success: `{code}`"
        if result.verdict in LIMIT_INFOS:
            info = LIMIT_INFOS[result.verdict] + "."
        else:
            info = truncate_error(_error_text(result), self.truncate_error_chars)
            if result.verdict is Verdict.WRONG_ANSWER:
                info = f"`{info}`"
        return f"- Failure: `{code}`:\n{info}"

    def entry(self, test: TestCase, result: TestResult) -> str:
        """The lines about one failing test with an input."""
        stdin = _head(test.stdin, self.truncate_input_chars)
        return f"- input `{stdin}` failed:\n{self.info(test, result)}"

    def info(self, test: TestCase, result: TestResult) -> str:
        """What went wrong on one test."""
        if result.verdict in LIMIT_INFOS:
            return LIMIT_INFOS[result.verdict]
        match result.verdict:
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
        if self.wording is not Wording.CODE_CONTESTS:
            return PaperFeedback.feedback(self, shown)  # which lists both
        entries = [
            self.entry(test, result)
            if _failed(result)
            else f"- input `{_head(test.stdin, self.truncate_input_chars)}` passed"
            for test, result in shown
        ]
        listed = "\n".join(entries)
        return f"Your code had the following test results:\n\n{listed}\n\n{self.wording.retry}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFeedback(PaperFeedback):
    """How many tests failed, no details."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        num_failed = sum(_failed(result) for _, result in shown)
        return f"Your code failed {num_failed} of {len(shown)} tests.\n\n{self.wording.retry}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongFeedback(PaperFeedback):
    """That the program was wrong, nothing else."""

    def feedback(self, shown: Sequence[FailedTest]) -> str:
        """See FeedbackFormat."""
        return f"This solution was wrong.\n\n{self.wording.retry}"


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
