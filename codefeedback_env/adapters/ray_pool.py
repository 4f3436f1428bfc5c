"""Judge workers that are Ray actors, as one process uses them.

One thread owns all state and handles one event after the other: a submission, an answer, a
cancellation. Ray places the actors, starts nodes for those that find no place, and tells when one
is lost; then its jobs are judged elsewhere and another actor takes its place.
"""

import contextlib
import itertools
import logging
import os
import queue
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from codefeedback_env.adapters.ray_actor import MAX_PROBLEM_BYTES, Answer, JudgeActor
from codefeedback_env.adapters.ray_cluster import connection, describe_cpus, num_places
from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.judge.memory import Key as MemoryKey
from codefeedback_env.judge.memory import ReportMemory
from codefeedback_env.judge.pool import JOBS_AHEAD, MAX_ATTEMPTS
from codefeedback_env.judge.protocol import (
    JudgeReport,
    PackedProblem,
    Plan,
    WorkerInfo,
    encode_source,
    unpack_report,
)
from codefeedback_env.languages import Submission

GOODBYE_S = 10.0
TICK_S = 0.5
WARN_AFTER_S = 5.0
_LOG = logging.getLogger(__name__)
_Event = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """What distinguishes one set of actors from another."""

    address: str | None
    sandbox: str
    python: str | None
    num_workers: int | None
    resources: tuple[tuple[str, float], ...]
    """Custom resources of Ray that each actor takes."""

    num_remembered: int
    max_wait_s: float
    """How long submissions wait while there is no worker at all."""


@dataclass(slots=True, eq=False)
class _Job:
    """A submission on its way."""

    number: int
    problem: PackedProblem
    submission: Submission
    plan: Plan
    future: "Future[JudgeReport]"
    memory_key: MemoryKey | None
    """None where reports are not remembered."""

    attempts: int = 0

    def answer(self, outcome: JudgeReport | SandboxError) -> None:
        # A future that was cancelled meanwhile takes no outcome.
        with contextlib.suppress(InvalidStateError):
            if isinstance(outcome, SandboxError):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)


@dataclass(slots=True, eq=False)
class _Worker:
    """One actor as seen from here."""

    number: int
    actor: Any
    is_ready: bool = False
    known_problems: set[bytes] = field(default_factory=set)
    jobs: dict[int, _Job] = field(default_factory=dict)
    """Sent and not answered, oldest first."""

    recalled: set[int] = field(default_factory=set)


class RayPool:
    """The actors of one process with one set of settings. Ray is connected already."""

    def __init__(self, settings: RaySettings) -> None:
        """Ask Ray for the actors.

        Raises:
            SandboxUnavailableError: the number of workers is left to a cluster without CPUs.
        """
        self.settings = settings
        self.pid = os.getpid()
        self._connection = connection()
        num_workers = settings.num_workers or num_places(dict(settings.resources))
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._job_numbers = itertools.count(1)
        self._memory = ReportMemory(settings.num_remembered)
        self._info: Future[WorkerInfo] = Future()
        self._ended: SandboxError | None = None
        self._ending = threading.RLock()  # a judge may become garbage, and close, inside it
        # From here on the thread's own.
        self._waiting: deque[_Job] = deque()
        self._problem_refs: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._problem_bytes = 0
        self._waiting_since: float | None = None
        self._has_warned = False
        self._actor_class = ray.remote(JudgeActor).options(
            num_cpus=1,
            resources=dict(settings.resources) or None,
            scheduling_strategy="SPREAD",
            max_restarts=0,  # a lost actor is replaced from here, where its jobs are known
        )
        self._workers = [self._start(number) for number in range(num_workers)]
        self._thread = threading.Thread(
            target=self._run, name="codefeedback-ray-judge", daemon=True
        )
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Closed, or without hope of a worker."""
        return self._ended is not None

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """Judge a program; never blocks."""
        future: Future[JudgeReport] = Future()
        memory_key = None
        if self.settings.num_remembered:
            source = encode_source(submission.source_code)
            memory_key = self._memory.key(problem, source, plan)
            remembered = self._memory.find(memory_key)
            if remembered is not None:
                future.set_result(remembered)
                return future
        job = _Job(next(self._job_numbers), problem, submission, plan, future, memory_key)
        self._tell("submit", job)
        return future

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """Stop judging for this future, as far as it has not been judged."""
        if future.cancel():
            self._tell("cancel", future)

    def info(self) -> WorkerInfo:
        """What the workers found on their nodes; waits until the first is ready."""
        self._tell("info")
        return self._info.result()

    def close(self) -> None:
        """End the actors and what runs in them."""
        self._tell("close")
        if threading.current_thread() is not self._thread:
            self._thread.join(GOODBYE_S)

    def _tell(self, *event: Any) -> None:
        with self._ending:
            if self._ended is None:
                self._events.put(event)
                return
        if event[0] == "submit":
            event[1].answer(self._ended)

    def _run(self) -> None:
        try:
            while self._ended is None:
                try:
                    event = self._events.get(timeout=TICK_S)
                except queue.Empty:
                    event = ("tick",)
                if connection() == self._connection:
                    self._handle(event)
                else:
                    self._events.put(event)  # what was asked for is to get an answer
                    self._end(
                        SandboxUnavailableError("Ray was shut down while the judge was in use")
                    )
        except (RayError, ConnectionError) as error:
            # Not of an actor, whose errors come as answers, but of this process's own connection.
            self._end(SandboxUnavailableError(f"the connection to Ray is lost: {error}"))

    def _handle(self, event: _Event) -> None:
        answered: _Job | None = None
        outcome: JudgeReport | SandboxError | None = None
        match event:
            case ("submit", job):
                self._waiting.append(job)
            case ("cancel", future):
                self._stop_judging(future)
            case ("greeting", worker, answer):
                self._greeted(worker, answer)
            case ("answer", worker, job, answer):
                if worker.jobs.pop(job.number, None) is not None:
                    outcome = self._outcome(worker, job, answer)
                    answered = job
            case ("close",):
                self._end(SandboxError("the judge was closed before it had judged this submission"))
                return
        # The worker gets its next job first: who waits for this answer is in nobody's way then.
        self._assign()
        if not self._waiting:
            self._recall()
        if answered is not None and outcome is not None:
            answered.answer(outcome)
        self._check_that_somebody_works()

    def _start(self, number: int) -> _Worker:
        """Ask for an actor; Ray starts it when a node has room."""
        actor = self._actor_class.remote(self.settings.sandbox, self.settings.python)
        worker = _Worker(number, actor)
        self._report(actor.greet.remote(), "greeting", worker)
        return worker

    def _report(self, ref: Any, *event: Any) -> None:
        """Put what comes of a call of an actor among the events."""
        ref.future().add_done_callback(lambda done: self._events.put((*event, _answer(done))))

    def _greeted(self, worker: _Worker, answer: Answer) -> None:
        if worker not in self._workers:
            return
        match answer:
            case ("ready", info):
                if not self._info.done():
                    self._info.set_result(info)
                first = self._info.result()
                if _judges_alike(info, first):
                    worker.is_ready = True
                else:
                    self._refuse(worker, f"a node would judge by {info}, the others by {first}")
            case ("unavailable" | "broken", text):
                self._refuse(worker, text)
            case ("lost", text):
                self._replace(worker, text)

    def _outcome(
        self, worker: _Worker, job: _Job, answer: Answer
    ) -> JudgeReport | SandboxError | None:
        """What to tell the job's caller, None where the job is to be judged again."""
        worker.recalled.discard(job.number)
        match answer:
            case ("report", packed, may_keep):
                report = unpack_report(packed)
                if may_keep and job.memory_key is not None:
                    self._memory.keep(job.memory_key, report)
                return report
            case ("failed" | "broken", text):
                return SandboxError(text)
            case ("unknown problem",):
                worker.known_problems.discard(job.problem.key)
                self._waiting.appendleft(job)
            case ("cancelled",):
                self._waiting.appendleft(job)  # recalled for a worker with nothing to do
            case ("unavailable" | "lost", text):
                worker.jobs = {job.number: job, **worker.jobs}
                self._replace(worker, text)
        return None

    def _assign(self) -> None:
        """Give waiting jobs to the least busy workers."""
        while self._waiting:
            with_room = [w for w in self._workers if w.is_ready and len(w.jobs) < JOBS_AHEAD]
            if not with_room:
                return
            job = self._waiting.popleft()
            if job.future.cancelled():
                continue
            worker = min(with_room, key=lambda worker: len(worker.jobs))
            key = job.problem.key
            problem = None if key in worker.known_problems else self._problem_ref(job.problem)
            worker.known_problems.add(key)
            worker.jobs[job.number] = job
            ref = worker.actor.judge.remote(
                job.number, key, problem, job.submission, job.plan.encoded
            )
            self._report(ref, "answer", worker, job)

    def _problem_ref(self, problem: PackedProblem) -> Any:
        """The problem in Ray's object store, from where each node fetches it once."""
        known = self._problem_refs.get(problem.key)
        if known is not None:
            self._problem_refs.move_to_end(problem.key)
            return known[0]
        ref = ray.put(problem)
        self._problem_refs[problem.key] = ref, len(problem.blob)
        self._problem_bytes += len(problem.blob)
        while self._problem_bytes > MAX_PROBLEM_BYTES and len(self._problem_refs) > 1:
            _, (_, num_bytes) = self._problem_refs.popitem(last=False)
            self._problem_bytes -= num_bytes
        return ref

    def _recall(self) -> None:
        """Take back a job that waits behind another while some worker has nothing to do."""
        if not any(worker.is_ready and not worker.jobs for worker in self._workers):
            return
        for worker in self._workers:
            for number in list(worker.jobs)[1:]:
                if number not in worker.recalled:
                    worker.recalled.add(number)
                    worker.actor.cancel.remote(number)
                    return

    def _stop_judging(self, future: "Future[JudgeReport]") -> None:
        self._waiting = deque(job for job in self._waiting if job.future is not future)
        for worker in self._workers:
            for job in worker.jobs.values():
                if job.future is future:
                    worker.actor.cancel.remote(job.number)

    def _replace(self, lost: _Worker, why: str) -> None:
        """Ask for an actor in place of one that is lost, and give its jobs another chance."""
        if lost not in self._workers:
            return
        _LOG.warning("judge worker %d on Ray is lost, asking for another: %s", lost.number, why)
        self._workers[self._workers.index(lost)] = self._start(lost.number)
        self._let_go(lost)
        for job in reversed(lost.jobs.values()):
            job.attempts += 1
            if job.attempts < MAX_ATTEMPTS:
                self._waiting.appendleft(job)
            else:
                text = f"the judge worker on Ray was lost {job.attempts} times over a submission"
                job.answer(SandboxError(f"{text}, last: {why}"))
        lost.jobs = {}

    def _refuse(self, worker: _Worker, why: str) -> None:
        """Do without a worker whose node cannot judge, or not as the others do."""
        self._workers.remove(worker)
        self._let_go(worker)
        if self._workers:
            _LOG.error("a judge worker on Ray is left out: %s", why)
        else:
            self._end(SandboxUnavailableError(why))

    def _let_go(self, worker: _Worker) -> None:
        if connection() != self._connection:
            return  # Ray ended its actors, and must not be woken by a call
        # One that is dead already needs no killing.
        with contextlib.suppress(RayError, ConnectionError, ValueError):
            ray.kill(worker.actor)

    def _check_that_somebody_works(self) -> None:
        """End the waiting where no worker comes; a cluster may take some time to start one."""
        if self._ended is not None:
            return
        if any(worker.is_ready for worker in self._workers):
            self._waiting_since, self._has_warned = None, False
            return
        if self._info.done() and not self._waiting:  # nobody waits
            self._waiting_since = None
            return
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        waited_s = time.monotonic() - self._waiting_since
        if waited_s > self.settings.max_wait_s:
            self._end(
                SandboxUnavailableError(
                    f"no judge worker could run for {self.settings.max_wait_s:g} s: "
                    f"{describe_cpus()}. Free some, add nodes, or where nodes are on their way "
                    "raise max_wait_s of RayJudge."
                )
            )
        elif waited_s > WARN_AFTER_S and not self._has_warned:
            self._has_warned = True
            _LOG.warning("no judge worker of %d runs yet: %s", len(self._workers), describe_cpus())

    def _end(self, error: SandboxError) -> None:
        """Let go of the actors and fail whatever is still asked for."""
        with self._ending:
            self._ended = error
        jobs = list(self._waiting)
        for worker in self._workers:
            jobs += worker.jobs.values()
            self._let_go(worker)
        while not self._events.empty():
            event = self._events.get()
            if event[0] == "submit":
                jobs.append(event[1])
        self._workers, self._waiting, self._problem_refs = [], deque(), OrderedDict()
        if not self._info.done():
            self._info.set_exception(error)
        for job in jobs:
            job.answer(error)


def _answer(done: "Future[Answer]") -> Answer:
    """What came of a call of an actor, in one of the words of its answers or "lost", "broken"."""
    error = done.exception()
    if error is None:
        return done.result()
    if isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False):
        return "broken", f"the judge cannot run in its Ray actor: {error}"
    if isinstance(error, RayActorError):
        return "lost", str(error).partition("\n")[0]
    return "lost", f"{type(error).__name__}: {error}"


def _judges_alike(one: WorkerInfo, other: WorkerInfo) -> bool:
    """Whether equal verdicts can be expected, so that nodes and remembered reports may mix."""
    return (one.sandbox, one.python_version, one.numpy_version) == (
        other.sandbox,
        other.python_version,
        other.numpy_version,
    )
