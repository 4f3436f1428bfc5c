"""The worker processes of this process, shared by all its judges.

Started lazily, by exec. A forked child opens connections of its own to the same workers: it
inherits the connectors, through which it sends a worker one end of a new socket. Workers end when
all processes that hold their connector have ended, however they ended.
"""

import contextlib
import itertools
import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codefeedback_env import errors
from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.judge.memory import Key as MemoryKey
from codefeedback_env.judge.memory import ReportMemory
from codefeedback_env.judge.protocol import (
    JudgeReport,
    MessageReader,
    PackedProblem,
    Plan,
    WorkerInfo,
    frame,
    send,
    unpack_report,
)

JOBS_AHEAD = 2  # one being judged and one waiting, so that a worker never waits for its caller
MAX_ATTEMPTS = 2
NUM_REMEMBERED = 4096
GOODBYE_S = 2.0
_READ_BYTES = 1 << 16
_LOG = logging.getLogger(__name__)

_BOOT = """\
import sys, types
sys.path[:] = {path!r}
package = types.ModuleType("codefeedback_env")
package.__path__ = [{root!r}]
package.__file__ = {root!r} + "/__init__.py"
def load(name):
    if name.startswith("__"):
        raise AttributeError(name)
    with open(package.__file__, encoding="utf-8") as file:
        exec(compile(file.read(), package.__file__, "exec"), package.__dict__)
    return package.__dict__[name]
package.__getattr__ = load
sys.modules["codefeedback_env"] = package
from codefeedback_env.judge.worker import main
main({connector}, {settings!r})
"""
"""A worker imports modules of the package but not the package's front door, which would load
Gymnasium and numpy into every worker; ``load`` opens it for a checker that asks for it."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What distinguishes one set of workers from another."""

    sandbox: str
    num_workers: int
    python: str | None
    num_remembered: int = NUM_REMEMBERED
    """Reports kept for programs that come again."""


@dataclass(slots=True)
class _Job:
    """A submission on its way."""

    number: int
    problem: PackedProblem
    message: bytes
    """What a worker is sent, made once."""

    future: "Future[JudgeReport]"
    memory_key: MemoryKey | None
    """None where reports are not remembered."""

    attempts: int = 0

    def answer(self, outcome: JudgeReport | SandboxError) -> None:
        try:
            if isinstance(outcome, SandboxError):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        except InvalidStateError:  # cancelled meanwhile
            self.future.set_running_or_notify_cancel()


@dataclass(slots=True, eq=False)
class _Worker:
    """One worker process as seen from here."""

    number: int
    connector: socket.socket
    connection: socket.socket
    process: subprocess.Popen[bytes] | None
    """None in a forked child: the worker is its parent's."""

    reader: MessageReader = field(default_factory=MessageReader)
    sending: threading.Lock = field(default_factory=threading.Lock)
    known_problems: set[bytes] = field(default_factory=set)
    jobs: dict[int, _Job] = field(default_factory=dict)
    """Sent and not answered, oldest first."""

    recalled: set[int] = field(default_factory=set)
    info: WorkerInfo | None = None


_Heard = tuple[_Worker, tuple[Any, ...]]
_Answer = tuple[_Job, JudgeReport | SandboxError]


class WorkerPool:
    """The workers of one process with one set of settings."""

    def __init__(
        self, settings: PoolSettings, connectors: list[socket.socket] | None = None
    ) -> None:
        """Connect through ``connectors`` of the parent process, or start workers of our own."""
        self.settings = settings
        self.pid = os.getpid()
        self.num_users = 0
        self._lock = threading.RLock()
        self._waiting: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._memory = ReportMemory(settings.num_remembered)
        self._job_numbers = itertools.count(1)
        self._closed = False
        self._ready = threading.Event()  # or known never to be
        self._info: WorkerInfo | None = None
        self._unavailable: SandboxError | None = None
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        for number in range(settings.num_workers):
            if connectors is None:
                self._workers.append(self._start(number))
            else:
                self._workers.append(self._connect(number, connectors[number], None))
        self._thread = threading.Thread(
            target=self._read_for_ever, name="codefeedback-judge", daemon=True
        )
        self._thread.start()

    @property
    def connectors(self) -> list[socket.socket]:
        """Sockets through which a forked child can connect to the same workers."""
        return [worker.connector for worker in self._workers]

    def submit(self, problem: PackedProblem, source: bytes, plan: Plan) -> "Future[JudgeReport]":
        """Judge a program; never blocks for long."""
        future: Future[JudgeReport] = Future()
        memory_key = None
        if self.settings.num_remembered:
            memory_key = self._memory.key(problem, source, plan)
            remembered = self._memory.find(memory_key)
            if remembered is not None:
                future.set_result(remembered)
                return future
        number = next(self._job_numbers)
        message = frame(("judge", number, problem.key, source, plan.encoded))
        job = _Job(number, problem, message, future, memory_key)
        with self._lock:
            if self._unavailable is not None:
                raise self._unavailable
            # Where others wait already, no worker has room.
            has_room = not self._waiting
            self._waiting.append(job)
            assigned = self._assign() if has_room else []
        self._send_all(assigned)
        return future

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """Stop judging for this future, as far as it has not been judged."""
        with self._lock:
            for job in list(self._waiting):
                if job.future is future:
                    self._waiting.remove(job)
            holders = [
                (worker, job.number)
                for worker in self._workers
                for job in worker.jobs.values()
                if job.future is future
            ]
        future.cancel()
        for worker, number in holders:
            self._send(worker, "cancel", number)

    def info(self) -> WorkerInfo:
        """What the workers found on this machine; waits until the first is ready.

        Where all have died since, it is what they found: their successors find the same.
        """
        self._ready.wait()
        if self._unavailable is not None:
            raise self._unavailable
        if self._info is None:
            raise SandboxError("the judge was closed before a worker was ready")
        return self._info

    def close(self) -> None:
        """Let go of the workers, which end when nobody else holds them."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
        self._wake_write.send(b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join(GOODBYE_S)
        for worker in workers:
            worker.connection.close()
            worker.connector.close()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()
        for worker in workers:
            if worker.process is not None:
                # One that a forked child still uses ends with that child.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(GOODBYE_S)
        self._ready.set()
        self._fail_all(SandboxError("the judge was closed before it had judged this submission"))

    def abandon(self) -> None:
        """In a forked child: close this process's copies of its parent's connections."""
        for worker in self._workers:
            worker.connection.close()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def _start(self, number: int) -> _Worker:
        ours, theirs = socket.socketpair()
        options = {"sandbox": self.settings.sandbox, "python": self.settings.python}
        boot = _BOOT.format(
            path=[os.path.abspath(entry) for entry in sys.path],
            root=str(Path(errors.__file__).parent),
            connector=theirs.fileno(),
            settings=json.dumps(options),
        )
        process = subprocess.Popen(
            [sys.executable, "-c", boot],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is the caller's; workers end when it does
        )
        theirs.close()
        return self._connect(number, ours, process)

    def _connect(
        self, number: int, connector: socket.socket, process: subprocess.Popen[bytes] | None
    ) -> _Worker:
        ours, theirs = socket.socketpair()
        # A worker that has just died is noticed when the connection is read.
        with theirs, contextlib.suppress(OSError):
            socket.send_fds(connector, [b"c"], [theirs.fileno()])
        worker = _Worker(number, connector, ours, process)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker

    def _assign(self) -> list[tuple[_Worker, _Job]]:
        """Give waiting jobs to the least busy workers; the lock is held, sending comes after."""
        assigned: list[tuple[_Worker, _Job]] = []
        while self._waiting and (worker := self._worker_with_room()) is not None:
            job = self._waiting.popleft()
            worker.jobs[job.number] = job
            assigned.append((worker, job))
        return assigned

    def _worker_with_room(self) -> _Worker | None:
        """The least busy of the workers that take another job; lock held."""
        found, fewest = None, JOBS_AHEAD
        for worker in self._workers:
            num_jobs = len(worker.jobs)
            if num_jobs < fewest and worker.info is not None:
                found, fewest = worker, num_jobs
                if not num_jobs:
                    break
        return found

    def _send_all(self, assigned: list[tuple[_Worker, _Job]]) -> None:
        for worker, job in assigned:
            problem = job.problem
            with worker.sending:
                try:
                    if problem.key not in worker.known_problems:
                        worker.known_problems.add(problem.key)
                        send(worker.connection, ("problem", problem.key, problem.blob))
                    worker.connection.sendall(job.message)
                except OSError:
                    pass  # the worker has died: the reading thread sees it and retries its jobs

    def _send(self, worker: _Worker, *message: Any) -> None:
        with worker.sending, contextlib.suppress(OSError):
            send(worker.connection, message)

    def _read_for_ever(self) -> None:
        while not self._closed:
            heard: list[_Heard] = []
            for key, _ in self._selector.select():
                if key.data is None:
                    self._wake_read.recv(64)
                else:
                    heard += self._hear(key.data)
            if heard:
                self._act_on(heard)

    def _hear(self, worker: _Worker) -> list[_Heard]:
        """What a worker has said; one that has ended is replaced."""
        try:
            data = worker.connection.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._replace(worker)
        return [(worker, message) for message in worker.reader.feed(data)]

    def _act_on(self, heard: list[_Heard]) -> None:
        """Everything that was heard at once: the lock is taken once for all of it."""
        answers: list[_Answer] = []
        with self._lock:
            for worker, message in heard:
                self._note(worker, message, answers)
            assigned = self._assign() if self._waiting else []
            recalls = [] if self._waiting else self._jobs_to_recall()
        if self._unavailable is not None:
            self._give_up(self._unavailable)
        # Workers get their next jobs first: who waits for an answer is in nobody's way then.
        self._send_all(assigned)
        for worker, number in recalls:
            self._send(worker, "recall", number)
        for job, outcome in answers:
            if job.memory_key is not None and isinstance(outcome, JudgeReport):
                self._memory.keep(job.memory_key, outcome)
            job.answer(outcome)

    def _note(self, worker: _Worker, message: tuple[Any, ...], answers: list[_Answer]) -> None:
        """One message; lock held."""
        kind, *rest = message
        if kind == "report":
            number, packed, may_keep = rest
            if (job := self._take(worker, number)) is not None:
                job.memory_key = job.memory_key if may_keep else None
                answers.append((job, unpack_report(packed)))
        elif kind == "failed":
            number, text = rest
            if (job := self._take(worker, number)) is not None:
                answers.append((job, SandboxError(text)))
        elif kind == "cancelled":
            job = self._take(worker, *rest)
            if job is not None and not job.future.cancelled():
                self._waiting.appendleft(job)  # recalled for a worker with nothing to do
        elif kind == "unknown problem":
            if (job := self._take(worker, *rest)) is not None:
                worker.known_problems.discard(job.problem.key)
                self._waiting.appendleft(job)
        elif kind == "ready":
            (worker.info,) = rest
            self._info = worker.info
            self._ready.set()
        elif kind == "unavailable":
            self._unavailable = SandboxUnavailableError(rest[-1])

    def _take(self, worker: _Worker, number: int) -> _Job | None:
        """A job that a worker is done with; lock held."""
        worker.recalled.discard(number)
        return worker.jobs.pop(number, None)

    def _jobs_to_recall(self) -> list[tuple[_Worker, int]]:
        """A job that waits behind another for each worker that has nothing to do; lock held."""
        num_idle = sum(worker.info is not None and not worker.jobs for worker in self._workers)
        if not num_idle:
            return []
        behind = [(worker, number) for worker in self._workers for number in list(worker.jobs)[1:]]
        left = [(worker, number) for worker, number in behind if number not in worker.recalled]
        chosen = left[: max(0, num_idle - (len(behind) - len(left)))]
        for worker, number in chosen:
            worker.recalled.add(number)
        return chosen

    def _replace(self, dead: _Worker) -> None:
        """Start a worker in place of one that ended, and give its jobs another chance.

        One that ends before it is ready would do so again and again, so that is the end of all.
        """
        with self._lock:
            self._bury(dead)
            if self._closed:
                return
            was_ready = dead.info is not None
            if was_ready:
                _LOG.warning("judge worker %d died; starting another", dead.number)
                self._workers[self._workers.index(dead)] = self._start(dead.number)
                failed = self._queue_again(dead)
                assigned = self._assign()
        # Without the lock, as whoever gets an answer may ask the judge from another thread.
        if not was_ready:
            self._give_up(SandboxError("a judge worker died before it was ready; see stderr"))
            return
        self._send_all(assigned)
        for job in failed:
            job.answer(
                SandboxError(f"the judge worker died {job.attempts} times over a submission")
            )

    def _bury(self, dead: _Worker) -> None:
        """Let go of a worker that ended; lock held."""
        self._selector.unregister(dead.connection)
        dead.connection.close()
        if self._closed:
            return  # close() sees to the rest
        dead.connector.close()
        if dead.process is not None:
            dead.process.kill()
            dead.process.wait()

    def _queue_again(self, dead: _Worker) -> list[_Job]:
        """Put a dead worker's jobs in front; those that had all their attempts come back.

        The lock is held.
        """
        failed = []
        for job in reversed(dead.jobs.values()):
            job.attempts += 1
            if job.attempts >= MAX_ATTEMPTS:
                failed.append(job)
            else:
                self._waiting.appendleft(job)
        return failed

    def _give_up(self, error: SandboxError) -> None:
        with self._lock:
            self._unavailable = error
        self._ready.set()
        self._fail_all(error)

    def _fail_all(self, error: SandboxError) -> None:
        with self._lock:
            jobs = list(self._waiting)
            self._waiting.clear()
            for worker in self._workers:
                jobs += worker.jobs.values()
                worker.jobs.clear()
        for job in jobs:
            job.answer(error)
