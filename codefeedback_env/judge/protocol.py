"""What the judge's client and its workers say to each other.

Both ends are ours and run the same release, so messages are pickles in frames. Bytes that programs
wrote only ever travel inside them as bytes.
"""

import pickle
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import cloudpickle

from codefeedback_env.checkers import Judging
from codefeedback_env.judge.function_tests import check_function_tests
from codefeedback_env.problem import FunctionTask, Pool, Problem
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.verdicts import TestReport, pack_results

DEFAULT_TIME_LIMIT_S = 10.0  # the paper's, for problems that state none
DEFAULT_MEMORY_LIMIT_MIB = 1024

_HEADER = struct.Struct("=Q")
_POOLS = {pool.value: pool for pool in Pool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The tests of one pool, and how they are run."""

    pool: Pool
    max_failures: int | None = None
    """Judging ends after this many failed tests of the pool; None runs them all."""

    in_any_order: bool = False
    """Only whether all tests pass matters, so tests that often failed before may come first."""

    keep_output: bool = False
    """Send back what the program printed; else only verdicts leave the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which tests to run, in order. Without stages the program is compiled only."""

    stages: tuple[Stage, ...] = ()
    stop_after_failed_pool: bool = True
    """Later pools are run only when all earlier ones were passed."""

    encoded: bytes = field(init=False, repr=False, compare=False)
    """The plan as it travels; made once, since a plan serves for many submissions."""

    def __post_init__(self) -> None:
        """Encode the plan in builtin types, which cost less to read than classes."""
        stages = tuple(
            (stage.pool.value, stage.max_failures, stage.in_any_order, stage.keep_output)
            for stage in self.stages
        )
        encoded = pickle.dumps((stages, self.stop_after_failed_pool), pickle.HIGHEST_PROTOCOL)
        object.__setattr__(self, "encoded", encoded)


@dataclass(frozen=True, slots=True)
class PackedProblem:
    """A problem as workers get it: shipped once, then named by its key."""

    key: bytes
    blob: bytes
    cpu_time_s: float
    """The time limit of one test."""


@dataclass(frozen=True, slots=True)
class JudgingTask:
    """What a packed problem holds."""

    tests: dict[Pool, tuple[tuple[bytes, bytes], ...]]
    checker: bytes
    judging: Judging
    cpu_time_s: float
    memory_mib: int
    function: FunctionTask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReport:
    """The outcome of one submission."""

    compiled: bool
    compile_error: str
    reports: dict[Pool, TestReport]
    """One for each stage of the plan, those not reached without results."""

    @property
    def all_passed(self) -> bool:
        """Every test of every stage ran and was passed."""
        return self.compiled and all(report.all_passed for report in self.reports.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """What a worker found on its machine when it started."""

    sandbox: str
    python_version: str
    numpy_version: str | None
    notes: tuple[str, ...] = ()


def pack(
    problem: Problem, *, judging: Judging, checker: Checker, time_factor: float = 1.0
) -> PackedProblem:
    """A problem with everything a worker needs to judge it.

    Args:
        problem: its limits count, or the paper's 10 s and 1 GiB where it states none.
        judging: the profile.
        checker: decides on outputs.
        time_factor: multiplies the time limit.

    Raises:
        ConfigError: a test that calls a function is broken.
    """
    check_function_tests(problem)
    task = JudgingTask(
        tests={
            pool: tuple((_bytes(t.stdin), _bytes(t.expected_stdout)) for t in problem.tests(pool))
            for pool in Pool
        },
        checker=cloudpickle.dumps(checker),
        judging=judging,
        cpu_time_s=(problem.time_limit_s or DEFAULT_TIME_LIMIT_S) * time_factor,
        memory_mib=problem.memory_limit_mib or DEFAULT_MEMORY_LIMIT_MIB,
        function=problem.function,
    )
    blob = pickle.dumps(task, protocol=pickle.HIGHEST_PROTOCOL)
    return PackedProblem(blake2b(blob, digest_size=16).digest(), blob, task.cpu_time_s)


def encode_source(source_code: str) -> bytes:
    """The bytes of a program's file. Lone surrogates give bytes that do not compile."""
    return _bytes(source_code)


@lru_cache(maxsize=64)
def decode_plan(encoded: bytes) -> Plan:
    """The plan that was encoded."""
    stages, stop_after_failed_pool = pickle.loads(encoded)
    return Plan(
        stages=tuple(
            Stage(
                pool=Pool(pool),
                max_failures=max_failures,
                in_any_order=in_any_order,
                keep_output=keep_output,
            )
            for pool, max_failures, in_any_order, keep_output in stages
        ),
        stop_after_failed_pool=stop_after_failed_pool,
    )


def pack_report(report: JudgeReport) -> tuple[Any, ...]:
    """A report as it travels: builtin types only, its results in columns."""
    parts = [
        (part.pool.value, part.num_tests, pack_results(part.results))
        for part in report.reports.values()
    ]
    return report.compiled, report.compile_error, parts


def unpack_report(packed: tuple[Any, ...]) -> JudgeReport:
    """The report that was packed; results are made when somebody reads them."""
    compiled, compile_error, parts = packed
    reports = {
        _POOLS[name]: TestReport.from_packed(_POOLS[name], num_tests, results)
        for name, num_tests, results in parts
    }
    return JudgeReport(compiled=compiled, compile_error=compile_error, reports=reports)


def send(connection: socket.socket, message: tuple[Any, ...]) -> None:
    """Send one message; the caller sees to it that only one thread does so at a time."""
    connection.sendall(frame(message))


def frame(message: tuple[Any, ...]) -> bytes:
    """A message as ``MessageReader`` reads it."""
    payload = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(payload)) + payload


class MessageReader:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        """Starts empty."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """The messages that ``data`` completes."""
        buffer = self._buffer
        size = len(data) - _HEADER.size
        if not buffer and size >= 0 and _HEADER.unpack_from(data)[0] == size:
            # As a rule one message comes alone and whole; it needs no copying.
            yield pickle.loads(memoryview(data)[_HEADER.size :])
            return
        buffer += data
        while len(buffer) >= _HEADER.size:
            (size,) = _HEADER.unpack_from(buffer)
            end = _HEADER.size + size
            if len(buffer) < end:
                return
            message = pickle.loads(memoryview(buffer)[_HEADER.size : end])
            del buffer[:end]
            yield message


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
