"""Judging programs by a function they define; see docs/sandbox.md, "Functions".

A call's result is compared here. Test code runs in a jail of its own, with the program in another
one at the end of a socket.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from codefeedback_env.errors import SandboxError
from codefeedback_env.judge.decide import CheckerTimeoutError, failure_of, time_cap
from codefeedback_env.judge.function_rules import RULES
from codefeedback_env.problem import FunctionTask
from codefeedback_env.sandbox.base import Input, InputFile, LimitHit, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.zygote import values
from codefeedback_env.sandbox.zygote.exchange import ANSWERED, split_result
from codefeedback_env.verdicts import Verdict

COMPARISON_TIME_S = 10.0
TESTER_CPU_TIME_S = 10.0
TESTER_MEMORY_MIB = 1024
TESTER_WAIT_S = 60.0  # beyond the longest that a program may take
MAX_DIGITS_SHOWN = 10_000  # of an integer; turning one into digits takes quadratic time

JudgedRun = tuple[RunResult, Verdict | None]
"""A run and its verdict; None where the caller decides by the output."""

_CALL, _SERVE, _TEST = "call", "serve", "test"  # roles in sandbox.zygote.functions
_REPORTED = frozenset({"passed", "failed", "raised", "misfit", "gone", "garbled"})
"""What a test may report once the program has answered; see sandbox.zygote.tester."""


@dataclass(slots=True)
class FunctionTest:
    """A test as it is run."""

    arguments: InputFile
    """The test's stdin: arguments, or test code."""

    expected: bytes
    keep_output: bool


def judge_calls(
    sandbox: Sandbox,
    function: FunctionTask,
    source: bytes,
    tests: Sequence[FunctionTest],
    limits: Limits,
) -> Generator[JudgedRun, None, None]:
    """Call a program's function once for each test.

    What is shown as a run's stdout is the result, as JSON where it can be.
    """
    task = {
        "role": _CALL,
        "name": function.name,
        "program_setup": function.program_setup,
        "integer_keys": function.rule == "apps",
    }
    inputs = [test.arguments for test in tests]
    with contextlib.closing(sandbox.run(source, inputs, limits, values.encode(task))) as runs:
        for run, test in zip(runs, tests, strict=False):
            yield _decide_call(run, test, function.rule)


class Testers:
    """The sandbox for test code; it opens with the first test.

    Tests run in one thread, as programs run meanwhile. It stays as long as the process does, since
    a jail ends with the thread that started it.
    """

    def __init__(self, open_sandbox: Callable[[], Sandbox]) -> None:
        """``open_sandbox`` may raise a SandboxUnavailableError."""
        self._open = open_sandbox
        self._thread = ThreadPoolExecutor(1, "tester")
        self._sandbox: Sandbox | None = None

    def begin(
        self, source: bytes, stdin: Input, limits: Limits, function: bytes, end: Callable[[], None]
    ) -> "Future[RunResult]":
        """Start a test; ``end`` is called when it is over."""
        return self._thread.submit(self._run, source, stdin, limits, function, end)

    def close(self) -> None:
        """End every process; the next test starts them again."""
        if self._sandbox is not None:
            self._sandbox.close()

    def _run(
        self, source: bytes, stdin: Input, limits: Limits, function: bytes, end: Callable[[], None]
    ) -> RunResult:
        try:
            if self._sandbox is None:
                self._sandbox = self._open()
            (run,) = self._sandbox.run(source, [stdin], limits, function)
        finally:
            end()
        return run


def judge_asserts(
    sandbox: Sandbox,
    testers: Testers,
    function: FunctionTask,
    source: bytes,
    tests: Sequence[FunctionTest],
    limits: Limits,
) -> Generator[JudgedRun, None, None]:
    """Run test code that calls a program's function.

    What is shown as a run's stderr is the assertion that failed or the error raised.

    Raises:
        SandboxError: a sandbox failed, or a test is broken.
    """
    task = {"role": _SERVE, "name": function.name, "program_setup": function.program_setup}
    candidate_limits = replace(limits, waiting_s=2 * TESTER_CPU_TIME_S)
    with contextlib.ExitStack() as stack:
        testing = _Testing(testers, function, candidate_limits)
        links = [stack.enter_context(_Link()) for _ in tests]
        runs = sandbox.run(source, links, candidate_limits, values.encode(task))
        stack.enter_context(contextlib.closing(runs))
        for link, test in zip(links, tests, strict=True):
            outcome = testing.begin(link, test)
            try:
                run = next(runs, None)
            finally:
                link.hang_up()
                wait([outcome])  # the next test is not to meet what is left of this one
            if run is None:
                raise SandboxError("the sandbox gave fewer results than there are tests")
            yield _decide_asserts(run, outcome.result(), function.name)
            if not run.compiled:
                return


class _Link:
    """The connection of a program with a test; also the program's stdin, as an Input."""

    def __init__(self) -> None:
        """Opened when it is first needed."""
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def __enter__(self) -> "_Link":
        return self

    def __exit__(self, *_: object) -> None:
        if self._ends is not None:
            for end in self._ends:
                end.close()
            self._ends = None

    def open(self) -> int:
        """See Input."""
        return os.dup(self.ends()[0].fileno())

    def ends(self) -> tuple[socket.socket, socket.socket]:
        """The program's end and the test's."""
        if self._ends is None:
            self._ends = socket.socketpair()
        return self._ends

    def hang_up(self) -> None:
        """Both sides read an end of file then, whoever else holds copies of the sockets."""
        with contextlib.suppress(OSError):
            self.ends()[0].shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class _TestersEnd:
    """The test's end of a link as its stdin."""

    link: _Link

    def open(self) -> int:
        """See Input."""
        return os.dup(self.link.ends()[1].fileno())


@dataclass(slots=True)
class _Testing:
    """What the tests of one submission have in common."""

    testers: Testers
    function: FunctionTask
    candidate_limits: Limits
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        """It must outlive any program, whose end it learns from its connection."""
        self.limits = Limits(
            cpu_time_s=TESTER_CPU_TIME_S,
            memory_mib=TESTER_MEMORY_MIB,
            waiting_s=self.candidate_limits.backstop_s + TESTER_WAIT_S,
        )

    def begin(self, link: _Link, test: FunctionTest) -> "Future[RunResult]":
        """Start a test; its result says how its own process ended."""
        function = self.function
        task = {
            "role": _TEST,
            "name": function.name,
            "reply_prefix": function.reply_prefix,
            "test_setup": function.test_setup,
            "explain": test.keep_output,
        }
        link.ends()
        return self.testers.begin(
            test.arguments.data, _TestersEnd(link), self.limits, values.encode(task), link.hang_up
        )


def _decide_call(run: RunResult, test: FunctionTest, rule: str) -> JudgedRun:
    if not run.compiled:
        return run, Verdict.COMPILE_ERROR
    printed, result = split_result(run.stdout)
    failure = failure_of(run)
    if failure is not None:
        return replace(run, stdout=printed), failure
    if result is None:
        message = run.stderr or b"The program exited before its function had returned."
        return replace(run, stdout=printed, stderr=message), Verdict.RUNTIME_ERROR
    try:
        with time_cap(COMPARISON_TIME_S):
            returned = values.decode(result, iterators=False)
            is_right = RULES[rule](returned, _expected(test.expected))
    except values.ValueTransferError as error:
        message = f"The result of the program cannot be read: {error}".encode()
        return replace(run, stdout=printed, stderr=message), Verdict.RUNTIME_ERROR
    except CheckerTimeoutError:
        return replace(run, stdout=printed), Verdict.WRONG_ANSWER
    verdict = Verdict.ACCEPTED if is_right else Verdict.WRONG_ANSWER
    shown = _shown(returned).encode("utf-8", "surrogatepass") if test.keep_output else b""
    return replace(run, stdout=shown), verdict


def _decide_asserts(run: RunResult, tester: RunResult, name: str) -> JudgedRun:
    """The verdict: the program's limits first, then what the test says.

    A test that passed while the program came to a bad end has not been passed.
    """
    if not run.compiled:
        return run, Verdict.COMPILE_ERROR
    if run.limit_hit is not None:
        return run, failure_of(run)
    outcome, text = _outcome_of(tester, name)
    told = replace(run, stderr=text.encode("utf-8", "surrogatepass"))
    match outcome:
        case "passed" if run.exit_code == 0 and tester.exit_code == 0:
            return run, Verdict.ACCEPTED
        case "passed" | "gone":
            return run, Verdict.RUNTIME_ERROR
        case "failed":
            return told, Verdict.WRONG_ANSWER
        case "raised" if "MemoryError" in text.rstrip().rpartition("\n")[2]:
            return told, Verdict.MEMORY_LIMIT
        case "raised" | "misfit":
            return told, Verdict.RUNTIME_ERROR
        case "garbled":
            message = f"An answer of the program cannot be read: {text}".encode()
            return replace(run, stderr=message), Verdict.RUNTIME_ERROR
        case "time":
            return run, Verdict.TIME_LIMIT
        case "memory":
            return run, Verdict.MEMORY_LIMIT
    raise SandboxError(
        f"a test of {name!r} fails by itself, whatever the program does: {text} "
        "Mend the test or leave the problem out."
    )


def _outcome_of(tester: RunResult, name: str) -> tuple[str, str]:
    """What a test reported, or what became of it."""
    if not tester.compiled:
        return "broken", tester.stderr.decode(errors="replace")
    has_answer = ANSWERED in tester.stdout
    reported = _reported(tester)
    if reported is not None and (reported[0] in _REPORTED or not has_answer):
        return reported
    match tester.limit_hit:
        case LimitHit.TIME:
            return "time", ""
        case LimitHit.MEMORY:
            return "memory", ""
    if has_answer:
        return "misfit", "The test could not go on with what the program had returned."
    raise SandboxError(
        f"a test of {name!r} ended without a result (exit status "
        f"{tester.exit_code}, signal {tester.signal}): {tester.stderr[-1000:]!r}"
    )


def _reported(tester: RunResult) -> tuple[str, str] | None:
    """The result at the end of a test's stdout, or what it printed there instead of one."""
    _, result = split_result(tester.stdout)
    if result is None:
        return None
    try:
        match values.decode(result):
            case (str(outcome), str(text)):
                return outcome, text
    except values.ValueTransferError:
        pass  # the program's words, printed by a test that was killed before its result
    return None


def _expected(text: bytes) -> Any:
    with _digits(0):
        return json.loads(text.decode("utf-8", "surrogatepass"))


def _shown(value: Any) -> str:
    """A result as JSON, in Python's words where JSON has none, or a remark on its size."""
    with _digits(MAX_DIGITS_SHOWN):
        try:
            return json.dumps(value, ensure_ascii=False)
        except TypeError:
            pass
        except ValueError:
            return f"a result with an integer of more than {MAX_DIGITS_SHOWN} digits"
        try:
            return repr(value)
        except ValueError:
            return f"a result with an integer of more than {MAX_DIGITS_SHOWN} digits"


@contextlib.contextmanager
def _digits(limit: int) -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(limit)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)
