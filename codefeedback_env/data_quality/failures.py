"""Why a program that should be right fails, as far as verdict and traceback tell."""

import re
from enum import StrEnum

from codefeedback_env.checkers import deepmind_comparison
from codefeedback_env.problem import TestCase
from codefeedback_env.verdicts import TestResult, Verdict

MAX_EXCERPT = 160

_PYTHON_2_SYNTAX = re.compile(
    r"Missing parentheses in call to '(print|exec)'"
    r"|leading zeros in decimal integer|multiple exception types must be parenthesized"
    r"|inconsistent use of tabs|invalid decimal literal"
)
_PYTHON_2_SOURCE = re.compile(
    r"^\s*print\s+[^(=\s]|\braw_input\b|\bxrange\b|<>|^\s*except\s+\w+\s*,\s*\w+\s*:", re.MULTILINE
)
_PYTHON_2_NAMES = re.compile(
    r"name '(raw_input|xrange|unicode|long|reduce|unichr|basestring|cmp|file)' is not defined"
    r"|has no attribute '(iteritems|itervalues|iterkeys|has_key|maxint|letters|maketrans)'"
)
_CONVERTS_NOTHING = re.compile(
    r"(invalid literal for int\(\) with base \d+|could not convert string to float): ''"
)
_READS_INPUT = re.compile(r"input|stdin|read|split|next\(|token|data|line")


class FailureKind(StrEnum):
    """What is behind a failure."""

    PYTHON_2 = "Python 2"
    DOES_NOT_COMPILE = "does not compile"
    RECURSION_LIMIT = "recursion limit"
    MISSING_FIELDS = "reads missing fields"
    MISSING_MODULE = "missing module"
    TOO_SLOW = "too slow"
    TOO_MUCH_MEMORY = "too much memory"
    TOO_MUCH_OUTPUT = "too much output"
    FORBIDDEN = "forbidden system call"
    CRASH = "crash"
    ANY_ANSWER = "one of several answers"
    LENIENT_NUMBERS = "number or case compared more strictly"
    WRONG_ANSWER = "wrong answer"

    @property
    def speaks_against_tests(self) -> bool:
        """The tests may be to blame rather than the program or its interpreter."""
        return self in (
            *(FailureKind.MISSING_FIELDS, FailureKind.ANY_ANSWER),
            *(FailureKind.LENIENT_NUMBERS, FailureKind.WRONG_ANSWER),
        )


def explain_failure(
    failure: TestResult, test: TestCase | None, source_code: str, *, takes_any_answer: bool
) -> tuple[FailureKind, str]:
    """The kind of failure, and an excerpt that shows it.

    Args:
        failure: with output.
        test: the one that failed, None for a program that does not compile.
        source_code: of the program.
        takes_any_answer: the statement's words say so, and there is no checker.
    """
    last_line = next(
        (line.strip() for line in reversed(failure.stderr.splitlines()) if line.strip()), ""
    )
    match failure.verdict:
        case Verdict.COMPILE_ERROR:
            old = _PYTHON_2_SYNTAX.search(last_line) or _PYTHON_2_SOURCE.search(source_code)
            return FailureKind.PYTHON_2 if old else FailureKind.DOES_NOT_COMPILE, _cut(last_line)
        case Verdict.TIME_LIMIT:
            return FailureKind.TOO_SLOW, f"{failure.cpu_time_s:.1f} s of CPU time"
        case Verdict.MEMORY_LIMIT:
            return FailureKind.TOO_MUCH_MEMORY, f"{failure.peak_memory_mib:.0f} MiB"
        case Verdict.OUTPUT_LIMIT:
            return FailureKind.TOO_MUCH_OUTPUT, "the limit of output was reached"
        case Verdict.SECURITY_VIOLATION:
            return FailureKind.FORBIDDEN, _cut(last_line)
        case Verdict.WRONG_ANSWER:
            return _explain_answer(failure, test, takes_any_answer)
    return _explain_crash(failure, last_line)


def _explain_crash(failure: TestResult, last_line: str) -> tuple[FailureKind, str]:
    lines = [line.strip() for line in failure.stderr.splitlines() if line.strip()]
    source_line = lines[-2] if len(lines) >= 2 else ""
    excerpt = _cut(f"{source_line} -> {last_line}" if source_line else last_line)
    error = last_line.partition(":")[0]
    if _PYTHON_2_NAMES.search(last_line):
        return FailureKind.PYTHON_2, excerpt
    if error == "RecursionError":
        return FailureKind.RECURSION_LIMIT, _cut(last_line)
    if failure.signal is not None and not lines:
        # CPython overflows the C stack once a program has raised the recursion limit.
        if failure.signal == 11:
            return FailureKind.RECURSION_LIMIT, "signal 11, stack overflow"
        return FailureKind.CRASH, f"signal {failure.signal}"
    if error in ("ModuleNotFoundError", "ImportError"):
        return FailureKind.MISSING_MODULE, _cut(last_line)
    if (
        error == "EOFError"
        or "not enough values to unpack" in last_line
        or _CONVERTS_NOTHING.search(last_line)
        or (error in ("IndexError", "StopIteration") and _READS_INPUT.search(source_line))
    ):
        return FailureKind.MISSING_FIELDS, excerpt
    return FailureKind.CRASH, excerpt or f"exit status {failure.exit_code}"


def _explain_answer(
    failure: TestResult, test: TestCase | None, takes_any_answer: bool
) -> tuple[FailureKind, str]:
    if test is None:
        return FailureKind.WRONG_ANSWER, _cut(failure.stderr or failure.stdout)
    if not failure.stdout and failure.stderr:  # a function's tests say on stderr what was wrong
        return FailureKind.WRONG_ANSWER, _cut(failure.stderr)
    excerpt = f"expected {_cut(test.expected_stdout, 60)!r}, got {_cut(failure.stdout, 60)!r}"
    if takes_any_answer:
        return FailureKind.ANY_ANSWER, excerpt
    expected, output = (
        text.encode("utf-8", "surrogatepass") for text in (test.expected_stdout, failure.stdout)
    )
    if deepmind_comparison(b"", expected, output):
        return FailureKind.LENIENT_NUMBERS, excerpt
    return FailureKind.WRONG_ANSWER, excerpt


def _cut(text: str, max_chars: int = MAX_EXCERPT) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + "[...]"
