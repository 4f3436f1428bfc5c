"""A judge worker: the trusted process that holds tests and sandbox, and decides.

One runs on each core. It is started by exec, never by fork, so it is small whatever its trainer is.
It ends when nobody holds the other end of its sockets any more.
"""

import array
import codecs
import contextlib
import json
import logging
import os
import pickle
import selectors
import socket
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from codefeedback_env.errors import CodeFeedbackError, SandboxError
from codefeedback_env.judge.decide import decide, with_source_lines
from codefeedback_env.judge.functions import (
    FunctionTest,
    JudgedRun,
    Testers,
    judge_asserts,
    judge_calls,
)
from codefeedback_env.judge.memory import is_repeatable
from codefeedback_env.judge.protocol import (
    JudgeReport,
    JudgingTask,
    MessageReader,
    Plan,
    Stage,
    WorkerInfo,
    decode_plan,
    pack_report,
    send,
)
from codefeedback_env.judge.self_test import self_test
from codefeedback_env.problem import FunctionStyle, Pool
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.sandbox.base import InputFile, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.catalog import open_sandbox
from codefeedback_env.verdicts import TestReport, TestResult, Verdict

CACHED_PROBLEM_BYTES = 256 << 20
FIRST_TESTER = 1 << 22  # more than there are process ids: testers' user ids are nobody else's
WARM_PROBLEMS = 16  # whose inputs stay open as files
SEND_TIMEOUT_S = 60.0
SHOWN_OUTPUT_BYTES = 2 << 20  # of one test; stored answers have up to 1.4 MB
CUT_MARK = "[...]"
_READ_BYTES = 1 << 16
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Problem:
    """A problem ready to be judged."""

    task: JudgingTask
    num_bytes: int
    loaded_checker: Checker | None = None
    inputs: dict[bytes, InputFile] = field(default_factory=dict)
    num_failures: Counter[tuple[Pool, int]] = field(default_factory=Counter)
    """How often each test failed; a test that fails is the quickest way to a rejection."""

    def checker(self) -> Checker:
        """Unpickled when judging begins: what goes wrong then fails a job, not the reader."""
        if self.loaded_checker is None:
            try:
                self.loaded_checker = pickle.loads(self.task.checker)
            except Exception as error:
                raise SandboxError(
                    f"the checker cannot be loaded in the judge worker: {type(error).__name__}: "
                    f"{error}. Define it where it can be imported, or as a plain function."
                ) from error
        return self.loaded_checker

    def input_file(self, stdin: bytes) -> InputFile:
        return self.inputs.setdefault(stdin, InputFile(stdin))

    def cool_down(self) -> None:
        """Close the files of its inputs; the next judging opens them again."""
        for file in self.inputs.values():
            file.close()


@dataclass(slots=True)
class _Job:
    client: "_Client"
    number: int
    key: bytes
    source: bytes
    plan: Plan
    cancelled: bool = False


class _Client:
    """One process that sends submissions."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SEND_TIMEOUT_S)
        self.connection = connection
        self.reader = MessageReader()
        self._lock = threading.Lock()

    def send(self, *message: Any) -> None:
        # A client that went away is not interested in reports any more.
        with self._lock, contextlib.suppress(OSError):
            send(self.connection, message)


class Worker:
    """Reads jobs in one thread and judges them, one after the other, in the main thread."""

    def __init__(self, connector: socket.socket) -> None:
        """``connector`` receives a socket for each client that connects."""
        self._connector = connector
        self._clients: dict[int, _Client] = {}
        self._jobs: deque[_Job] = deque()
        self._current: _Job | None = None
        self._wake = threading.Condition()
        self._problems: OrderedDict[bytes, _Problem] = OrderedDict()
        self._cached_bytes = 0
        self._warm: OrderedDict[bytes, _Problem] = OrderedDict()
        self._greeting: tuple[Any, ...] | None = None

    def run(self, sandbox_name: str, python: str | None) -> None:
        """Open the sandbox, test it, then judge for ever."""
        threading.Thread(target=self._read_for_ever, name="reader", daemon=True).start()
        try:
            opened = open_sandbox(sandbox_name, python=python, worker=os.getpid())
            self_test(opened.sandbox)
        except CodeFeedbackError as error:
            self._greet("unavailable", type(error).__name__, str(error))
        else:
            info = WorkerInfo(
                sandbox=opened.sandbox.name,
                python_version=opened.interpreter.version,
                numpy_version=opened.interpreter.numpy_version,
                notes=opened.notes,
            )
            self._greet("ready", info)
            self._judge_for_ever(Sandboxes(opened.sandbox, opened.sandbox.name, python))
        threading.Event().wait()  # the reader ends the process when its clients are gone

    def _greet(self, *greeting: Any) -> None:
        with self._wake:
            self._greeting = greeting
            clients = list(self._clients.values())
        for client in clients:
            client.send(*greeting)

    def _judge_for_ever(self, sandboxes: "Sandboxes") -> None:
        while True:
            with self._wake:
                while not self._jobs:
                    self._wake.wait()
                job = self._current = self._jobs.popleft()
                problem = self._problems.get(job.key)
                if problem is not None:
                    self._problems.move_to_end(job.key)
            if problem is None:
                job.client.send("unknown problem", job.number)
                continue
            self._keep_warm(job.key, problem)
            kind, *content = _answer(sandboxes, problem, job)
            job.client.send(kind, job.number, *content)

    def _keep_warm(self, key: bytes, problem: _Problem) -> None:
        self._warm[key] = problem
        self._warm.move_to_end(key)
        if len(self._warm) > WARM_PROBLEMS:
            _, coldest = self._warm.popitem(last=False)
            coldest.cool_down()

    def _read_for_ever(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._connector, selectors.EVENT_READ)
        connector_open = True
        while connector_open or self._clients:
            for key, _ in selector.select():
                if key.fileobj is self._connector:
                    connection = _receive_connection(self._connector)
                    if connection is None:
                        selector.unregister(self._connector)
                        connector_open = False
                        continue
                    client = _Client(connection)
                    with self._wake:
                        self._clients[connection.fileno()] = client
                        greeting = self._greeting
                    if greeting is not None:
                        client.send(*greeting)
                    selector.register(connection, selectors.EVENT_READ)
                else:
                    self._read_from(self._clients[key.fd], selector)
        os._exit(0)  # the jail dies with this process

    def _read_from(self, client: _Client, selector: selectors.BaseSelector) -> None:
        try:
            data = client.connection.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            selector.unregister(client.connection)
            with self._wake:
                del self._clients[client.connection.fileno()]
                self._drop_jobs(client)
            client.connection.close()
            return
        for message in client.reader.feed(data):
            self._handle(client, message)

    def _handle(self, client: _Client, message: tuple[Any, ...]) -> None:
        match message:
            case ("problem", bytes(key), bytes(blob)):
                self._remember(key, blob)
            case ("judge", int(number), bytes(key), bytes(source), bytes(plan)):
                with self._wake:
                    self._jobs.append(_Job(client, number, key, source, decode_plan(plan)))
                    self._wake.notify()
            case ("recall", int(number)):
                self._take_back(client, number)
            case ("cancel", int(number)):
                self._cancel(client, number)
            case _:
                raise ValueError(f"a client sent a message nobody knows: {message[0]!r}")

    def _remember(self, key: bytes, blob: bytes) -> None:
        task: JudgingTask = pickle.loads(blob)
        problem = _Problem(task, len(blob))
        with self._wake:
            if key in self._problems:
                return
            self._problems[key] = problem
            self._cached_bytes += problem.num_bytes
            while self._cached_bytes > CACHED_PROBLEM_BYTES and len(self._problems) > 1:
                _, oldest = self._problems.popitem(last=False)
                self._cached_bytes -= oldest.num_bytes

    def _take_back(self, client: _Client, number: int) -> bool:
        """Drop a job that has not begun, and say so."""
        with self._wake:
            waiting = next(
                (job for job in self._jobs if job.client is client and job.number == number), None
            )
            if waiting is not None:
                self._jobs.remove(waiting)
        if waiting is not None:
            client.send("cancelled", number)
        return waiting is not None

    def _cancel(self, client: _Client, number: int) -> None:
        """The same, and a job that has begun stops soon."""
        if self._take_back(client, number):
            return
        with self._wake:
            current = self._current
            if current is not None and current.client is client and current.number == number:
                current.cancelled = True

    def _drop_jobs(self, client: _Client) -> None:
        self._jobs = deque(job for job in self._jobs if job.client is not client)
        if self._current is not None and self._current.client is client:
            self._current.cancelled = True


class Sandboxes:
    """The one for programs, and one for test code that opens with the first problem to have it."""

    def __init__(self, programs: Sandbox, name: str, python: str | None) -> None:
        """``name`` and ``python`` are those of the sandbox for programs."""
        self.programs = programs
        # Of the same kind, with a user id of its own as far as there is one.
        worker = os.getpid() + FIRST_TESTER
        self.testers = Testers(lambda: open_sandbox(name, python=python, worker=worker).sandbox)

    def close(self) -> None:
        """End every process; using them again starts them again."""
        self.programs.close()
        self.testers.close()


def _answer(sandboxes: Sandboxes, problem: _Problem, job: _Job) -> tuple[Any, ...]:
    """What a client hears of its job, kind and content. A sandbox that fails gets another try."""
    try:
        try:
            report = judge_submission(sandboxes, problem, job)
        except SandboxError:
            sandboxes.close()
            report = judge_submission(sandboxes, problem, job)
        # A report on a part of the tests must never look like one on all of them.
        if job.cancelled:
            return ("cancelled",)
        # The caller needs not look into the report to know what it may keep.
        return "report", pack_report(report), is_repeatable(report, problem.task.cpu_time_s)
    except SandboxError as error:
        sandboxes.close()
        return "failed", str(error)
    except Exception as error:
        # A fault that one submission has hit upon: the others' judging goes on.
        _LOG.exception("judging a submission failed")
        sandboxes.close()
        return "failed", f"the judge worker failed, see stderr: {type(error).__name__}: {error}"


def judge_submission(sandboxes: Sandboxes, problem: _Problem, job: _Job) -> JudgeReport:
    """Run one program on the tests its plan names.

    Raises:
        SandboxError: the sandbox failed.
    """
    task, plan = problem.task, job.plan
    checker = problem.checker()
    source = job.source.decode("utf-8", "replace")
    todo = _order(problem, plan)
    results: dict[Stage, list[TestResult]] = {stage: [] for stage in plan.stages}
    with contextlib.closing(_judged_runs(sandboxes, problem, job, todo)) as runs:
        run, verdict = _next(runs)
        compiled, compiler_output = run.compiled, run.stderr
        current: Stage | None = None
        num_failed = 0
        num_failed_in: Counter[Stage] = Counter()
        for position, (stage, index) in enumerate(todo):
            if stage is not current:
                if num_failed and plan.stop_after_failed_pool:
                    break
                current = stage
            if job.cancelled:
                break
            if position and compiled:  # a program that does not compile has one run for all tests
                run, verdict = _next(runs)
            if verdict is None:
                stdin, expected = task.tests[stage.pool][index]
                decided = decide(run, stdin, expected, checker, task.judging)
            else:
                decided = verdict
            results[stage].append(_result(run, index, decided, stage, source))
            if decided is not Verdict.ACCEPTED:
                problem.num_failures[stage.pool, index] += 1
                num_failed += 1
                num_failed_in[stage] += 1
                if num_failed_in[stage] == stage.max_failures:
                    break
    return JudgeReport(
        compiled=compiled,
        compile_error="" if compiled else _text(compiler_output, source),
        reports={
            stage.pool: TestReport(
                pool=stage.pool,
                num_tests=len(task.tests[stage.pool]),
                results=tuple(sorted(results[stage], key=lambda result: result.index)),
            )
            for stage in plan.stages
        },
    )


def _order(problem: _Problem, plan: Plan) -> list[tuple[Stage, int]]:
    """The plan's tests; of neighbouring stages in any order, those that failed most often first."""
    todo: list[tuple[Stage, int]] = []
    for in_any_order, stages in groupby(plan.stages, key=lambda stage: stage.in_any_order):
        tests = [(s, i) for s in stages for i in range(len(problem.task.tests[s.pool]))]
        if in_any_order:
            tests.sort(key=lambda test: -problem.num_failures[test[0].pool, test[1]])
        todo += tests
    return todo


def _judged_runs(
    sandboxes: Sandboxes, problem: _Problem, job: _Job, todo: list[tuple[Stage, int]]
) -> Generator[JudgedRun, None, None]:
    """The runs of one program on the tests, in order, and verdicts where functions are judged."""
    task = problem.task
    limits = Limits(cpu_time_s=task.cpu_time_s, memory_mib=task.memory_mib)
    function = task.function
    if function is None or not todo:
        inputs = [problem.input_file(task.tests[stage.pool][i][0]) for stage, i in todo]
        with contextlib.closing(sandboxes.programs.run(job.source, inputs, limits)) as runs:
            for run in runs:
                yield run, None
        return
    tests = []
    for stage, index in todo:
        stdin, expected = task.tests[stage.pool][index]
        tests.append(FunctionTest(problem.input_file(stdin), expected, stage.keep_output))
    if function.style is FunctionStyle.CALL:
        judged = judge_calls(sandboxes.programs, function, job.source, tests, limits)
    else:
        judged = judge_asserts(
            sandboxes.programs, sandboxes.testers, function, job.source, tests, limits
        )
    with contextlib.closing(judged):
        yield from judged


def _next(runs: Iterator[JudgedRun]) -> JudgedRun:
    run = next(runs, None)
    if run is None:
        raise SandboxError("the sandbox gave fewer results than there are inputs")
    return run


def _text(stderr: bytes, source: str) -> str:
    return with_source_lines(stderr.decode("utf-8", "replace"), source)


def _shown_output(stdout: bytes) -> str:
    """What is sent back of an output: all of it, or the head and a mark."""
    if len(stdout) <= SHOWN_OUTPUT_BYTES:
        return stdout.decode("utf-8", "replace")
    # A character that the cut goes through is left out.
    head, _ = codecs.utf_8_decode(stdout[:SHOWN_OUTPUT_BYTES], "replace", False)
    return head + CUT_MARK


def _result(run: RunResult, index: int, verdict: Verdict, stage: Stage, source: str) -> TestResult:
    stdout = stderr = ""
    if stage.keep_output:
        stdout = _shown_output(run.stdout)
        stderr = _text(run.stderr, source)
    return TestResult(
        index=index,
        verdict=verdict,
        stdout=stdout,
        stderr=stderr,
        cpu_time_s=round(run.cpu_time_s, 6),
        wall_time_s=round(run.wall_time_s, 6),
        peak_memory_mib=round(run.peak_memory_mib, 3),
        exit_code=run.exit_code,
        signal=run.signal,
    )


def _receive_connection(connector: socket.socket) -> socket.socket | None:
    """A client's socket, None when no process holds the other end any more."""
    fds = array.array("i")
    message, ancillary, _, _ = connector.recvmsg(1, socket.CMSG_SPACE(fds.itemsize))
    if not message:
        return None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: fds.itemsize])
    return socket.socket(fileno=fds[0])


def _raise_own_limits() -> None:
    """Many open files for inputs, and a stack limit that programs inherit at their exec."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
        _, hard = resource.getrlimit(resource.RLIMIT_STACK)
        if hard == resource.RLIM_INFINITY or hard >= 256 << 20:
            resource.setrlimit(resource.RLIMIT_STACK, (256 << 20, hard))


def main(connector_fd: int, settings: str) -> None:
    """Be a worker; ``settings`` is JSON with sandbox and python."""
    logging.basicConfig(level=logging.WARNING, format="codefeedback judge worker: %(message)s")
    _raise_own_limits()
    options = json.loads(settings)
    worker = Worker(socket.socket(fileno=connector_fd))
    worker.run(options["sandbox"], options["python"])
