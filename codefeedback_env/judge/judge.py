"""The judge as its callers see it: submissions in, reports out."""

import os
import sys
import threading
import weakref
from concurrent.futures import Future
from typing import Any

from codefeedback_env.errors import ConfigError, SandboxUnavailableError
from codefeedback_env.judge.pool import NUM_REMEMBERED, PoolSettings, WorkerPool
from codefeedback_env.judge.protocol import (
    JudgeReport,
    PackedProblem,
    Plan,
    WorkerInfo,
    encode_source,
)
from codefeedback_env.judge.shared import add_user, pool_for
from codefeedback_env.languages import Submission


class Judge:
    """Judges submissions in worker processes that all judges with the same settings share.

    Workers start with the first submission and end when the last judge is closed or garbage.
    Judges are cheap, thread-safe, and can be pickled; in a forked child they go on working.
    """

    def __init__(
        self,
        *,
        sandbox: str = "auto",
        num_workers: int | None = None,
        python: str | None = None,
        num_remembered: int = NUM_REMEMBERED,
    ) -> None:
        """Nothing starts yet.

        Args:
            sandbox: name of the sandbox; "auto" takes the first confining one that works.
            num_workers: processes, None for one on each CPU this process may use.
            python: interpreter of the programs, None to choose.
            num_remembered: reports kept for programs that come again, 0 to judge every time.

        Raises:
            ConfigError: ``num_workers`` is not positive.
        """
        if num_workers is not None and num_workers < 1:
            raise ConfigError(
                f"num_workers={num_workers} must be at least 1, or None for all CPUs."
            )
        self._settings = PoolSettings(sandbox, num_workers or _num_cpus(), python, num_remembered)
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._pool: WorkerPool | None = None

    @property
    def settings(self) -> PoolSettings:
        """Sandbox, number of workers and interpreter asked for."""
        return self._settings

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """Judge a submission; the future holds its report, or a SandboxError.

        Raises:
            SandboxUnavailableError: this machine cannot judge; the message says what would help.
        """
        source = encode_source(submission.source_code)
        return self._workers().submit(problem, source, plan)

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        """Judge a submission and wait for the report.

        Raises:
            SandboxError: the sandbox failed twice over this submission.
        """
        future = self.submit(problem, submission, plan)
        # A future's own waiting wakes this thread while the other still holds the future's lock, so
        # it would go to sleep once more; callbacks run after that.
        done = threading.Lock()
        done.acquire()
        future.add_done_callback(lambda _: done.release())
        try:
            done.acquire()
            return future.result()
        finally:
            if not future.done():  # interrupted
                self.cancel(future)

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """Stop judging what nobody waits for any more."""
        self._workers().cancel(future)

    def info(self) -> WorkerInfo:
        """Sandbox, interpreter and numpy in use; starts the workers.

        Raises:
            SandboxUnavailableError: this machine cannot judge; the message says what would help.
        """
        return self._workers().info()

    def close(self) -> None:
        """Let go of the workers; using the judge again starts them again."""
        if self._finalizer is not None:
            self._finalizer()
            self._finalizer = None
            self._pool = None

    def __getstate__(self) -> PoolSettings:
        """The settings; a copy connects by itself."""
        return self._settings

    def __setstate__(self, settings: PoolSettings) -> None:
        """See __getstate__."""
        self._settings, self._finalizer, self._pool = settings, None, None

    def _workers(self) -> WorkerPool:
        pool = self._pool
        if pool is not None and pool.pid == os.getpid():
            return pool
        if sys.platform == "win32":
            raise SandboxUnavailableError(
                "judging does not run on Windows: use WSL 2 or the project's Dockerfile."
            )
        self._finalizer = add_user(self._settings, self)
        self._pool = pool = pool_for(self._settings)
        return pool


def _num_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
