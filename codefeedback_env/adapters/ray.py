"""Judging on a Ray cluster: the same judge, its workers spread over the nodes as actors."""

import os
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from codefeedback_env.errors import ConfigError, SandboxUnavailableError
from codefeedback_env.judge.pool import NUM_REMEMBERED
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, WorkerInfo
from codefeedback_env.languages import Submission

try:
    import ray  # noqa: F401 - to say what is missing before the other modules need it
except ImportError as error:
    raise ConfigError(
        f"judging on Ray needs the library ray, which cannot be imported ({error}); install it "
        "with: pip install 'codefeedback-env[ray]'"
    ) from error

from codefeedback_env.adapters.ray_cluster import connect, disconnect
from codefeedback_env.adapters.ray_pool import RayPool, RaySettings

MAX_WAIT_S = 60.0


class RayJudge:
    """Judges submissions in Ray actors, which judges with the same settings in a process share.

    A ``Judge`` in every other respect: actors start with the first submission and end when the last
    judge is closed or garbage; it is thread-safe, and a copy that was pickled connects by itself.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        sandbox: str = "auto",
        python: str | None = None,
        num_workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        num_remembered: int = NUM_REMEMBERED,
        max_wait_s: float = MAX_WAIT_S,
    ) -> None:
        """Nothing starts yet.

        Args:
            address: of the cluster: "auto" for one that runs on this machine, "HOST:PORT",
                "ray://HOST:PORT" through Ray Client, or None for ``RAY_ADDRESS``, else one on this
                machine, which is started where there is none. A process that is connected to Ray
                already stays with that cluster.
            sandbox: name of the sandbox on the nodes; "auto" takes the first confining one.
            python: interpreter of the programs on the nodes, None to choose.
            num_workers: actors, each on a CPU of its own; None for one on each CPU that the cluster
                has at the start.
            resources: custom resources of Ray that each actor takes besides, to place them.
            num_remembered: reports kept for programs that come again, 0 to judge every time.
            max_wait_s: submissions wait so long where no worker runs, as when an autoscaler starts
                nodes; then they fail.

        Raises:
            ConfigError: a number is out of range.
        """
        if num_workers is not None and num_workers < 1:
            raise ConfigError(
                f"num_workers={num_workers} must be at least 1, or None for all CPUs of the "
                "cluster."
            )
        if wrong := {name: need for name, need in (resources or {}).items() if not need > 0}:
            raise ConfigError(f"resources={wrong}: leave out what a worker does not need.")
        if not max_wait_s > 0:
            raise ConfigError(f"max_wait_s={max_wait_s} must be positive.")
        self._settings = RaySettings(
            address=address,
            sandbox=sandbox,
            python=python,
            num_workers=num_workers,
            resources=tuple(sorted((resources or {}).items())),
            num_remembered=num_remembered,
            max_wait_s=max_wait_s,
        )
        self._finalizer: weakref.finalize[Any, Any] | None = None

    @property
    def settings(self) -> RaySettings:
        """Cluster, workers, sandbox and interpreter asked for."""
        return self._settings

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """Judge a submission; the future holds its report, or a SandboxError.

        Raises:
            SandboxUnavailableError: the cluster cannot be reached or has no CPU.
        """
        return self._workers().submit(problem, submission, plan)

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        """Judge a submission and wait for the report.

        Raises:
            SandboxError: the sandbox failed, or workers were lost, twice over this submission.
            SandboxUnavailableError: no worker can judge; the message says what would help.
        """
        future = self.submit(problem, submission, plan)
        try:
            return future.result()
        finally:
            if not future.done():  # interrupted
                self.cancel(future)

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """Stop judging what nobody waits for any more."""
        pool = _pools.get(self._settings)
        if pool is not None:
            pool.cancel(future)

    def info(self) -> WorkerInfo:
        """Sandbox, interpreter and numpy in use on the nodes; starts the actors.

        Raises:
            SandboxUnavailableError: no node can judge; the message says what would help.
        """
        return self._workers().info()

    def close(self) -> None:
        """Let go of the actors; using the judge again starts them again."""
        if self._finalizer is not None:
            self._finalizer()
            self._finalizer = None

    def __getstate__(self) -> RaySettings:
        """The settings; a copy connects by itself."""
        return self._settings

    def __setstate__(self, settings: RaySettings) -> None:
        """See __getstate__."""
        self._settings, self._finalizer = settings, None

    def _workers(self) -> RayPool:
        with _pools_lock:
            pool = _pool_for(self._settings)
            if self._finalizer is None:
                _num_users[self._settings] = _num_users.get(self._settings, 0) + 1
                self._finalizer = weakref.finalize(self, _remove_user, self._settings, os.getpid())
        return pool


def address_of(sandbox: str) -> str | None:
    """The address in "ray", "ray:ADDRESS" or "ray://HOST:PORT", as environments are told it."""
    if sandbox.startswith("ray://"):
        return sandbox
    return sandbox.removeprefix("ray").removeprefix(":") or None


_pools: dict[RaySettings, RayPool] = {}
_num_users: dict[RaySettings, int] = {}
_pools_lock = threading.RLock()  # a judge may become garbage while its own thread holds it


def _pool_for(settings: RaySettings) -> RayPool:
    """This process's pool; one that has lost all its workers is followed by a new one."""
    pool = _pools.get(settings)
    if pool is not None and pool.pid != os.getpid():
        raise SandboxUnavailableError(
            "Ray does not work in a forked child of a process that has used it: start processes "
            "by 'spawn', or as Ray actors."
        )
    if pool is None or pool.has_ended:
        connect(settings.address)
        try:
            pool = _pools[settings] = RayPool(settings)
        except SandboxUnavailableError:
            if not _pools:
                disconnect()
            raise
    return pool


def _remove_user(settings: RaySettings, pid: int) -> None:
    if pid != os.getpid():
        return  # a forked child's copy of the user
    with _pools_lock:
        _num_users[settings] -= 1
        if _num_users[settings]:
            return
        del _num_users[settings]
        pool = _pools.pop(settings, None)
    if pool is not None:
        pool.close()
    with _pools_lock:
        if not _pools:
            disconnect()
