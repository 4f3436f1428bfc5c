"""From how a run ended to a verdict: the one place where outputs meet expected outputs."""

import logging
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from codefeedback_env.checkers import Comparison, Judging
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.sandbox.base import LimitHit, RunResult
from codefeedback_env.verdicts import Verdict

CHECKER_TIME_S = 10.0
CHECKER_OUTPUT_BYTES = 16 << 20
MAX_SOURCE_LINE_CHARS = 200

_LOG = logging.getLogger(__name__)
_FRAME = re.compile(r'  File "(?P<file>[^"\n]*)", line (?P<line>\d+)')
_VERDICT_OF_LIMIT = {
    LimitHit.SECURITY: Verdict.SECURITY_VIOLATION,
    LimitHit.TIME: Verdict.TIME_LIMIT,
    LimitHit.MEMORY: Verdict.MEMORY_LIMIT,
    LimitHit.OUTPUT: Verdict.OUTPUT_LIMIT,
}


class CheckerTimeoutError(Exception):
    """A checker took longer than CHECKER_TIME_S."""


def decide(
    run: RunResult, stdin: bytes, expected: bytes, checker: Checker, judging: Judging
) -> Verdict:
    """The verdict on one run; the order is that of Verdict."""
    if not run.compiled:
        return Verdict.COMPILE_ERROR
    failure = failure_of(run)
    if failure is Verdict.SECURITY_VIOLATION:
        return failure
    if failure is not None and judging is Judging.STRICT:
        return failure
    if is_right(checker, stdin, expected, run.stdout):
        return Verdict.ACCEPTED
    return failure or Verdict.WRONG_ANSWER


def is_right(checker: Checker, stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Ask a checker, with caps on what it reads and how long it takes.

    A checker that raises or takes too long has not accepted the output, so the answer is no. What
    is not an announced ValueError or IndexError is logged: the checker needs mending.
    """
    if isinstance(checker, Comparison):
        return checker(stdin, expected, output)
    if len(output) > CHECKER_OUTPUT_BYTES:
        return False
    try:
        with time_cap(CHECKER_TIME_S):
            return bool(checker(stdin, expected, output))
    except (ValueError, IndexError):
        return False
    except Exception:
        _LOG.exception("checker %r failed; the output counts as wrong", checker)
        return False


def with_source_lines(stderr: str, source: str) -> str:
    """What a program wrote to stderr, its tracebacks as Python prints them for ``solution.py``.

    Inside the jail there is no file to read lines from, so the program's own are put under its
    frames here; frames of the library and of the code that runs programs are left out. A stderr
    has thousands of frames at most, so with long lines cut the text stays short.
    """
    # The compiler's line ends; str.splitlines knows more, such as form feeds.
    source_lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = stderr.split("\n")
    shown: list[str] = []
    is_foreign = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        frame = _FRAME.match(line)
        if frame is None:
            if not (is_foreign and line.startswith("    ")):
                is_foreign = False
                shown.append(line)
            continue
        is_foreign = frame["file"] != "solution.py"
        if is_foreign:
            continue
        shown.append(line)
        if not following.startswith("    "):
            position = int(frame["line"][:9]) - 1
            text = source_lines[position].strip() if 0 <= position < len(source_lines) else ""
            if text:
                shown.append(f"    {text[:MAX_SOURCE_LINE_CHARS]}")
    return "\n".join(shown)


def failure_of(run: RunResult) -> Verdict | None:
    """The verdict on a run that did not end well, None on one that did."""
    if run.limit_hit is not None:
        return _VERDICT_OF_LIMIT[run.limit_hit]
    return None if run.exit_code == 0 else Verdict.RUNTIME_ERROR


@contextmanager
def time_cap(seconds: float) -> Iterator[None]:
    """Raise a CheckerTimeoutError in what takes longer, where a timer signal is to be had."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield  # no timer signal to be had; workers run checkers in their main thread
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise CheckerTimeoutError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
