"""What runs on the nodes of a Ray cluster: an actor around the ordinary judge."""

import asyncio
import contextlib
import socket
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.memory import is_repeatable
from codefeedback_env.judge.protocol import (
    JudgeReport,
    PackedProblem,
    decode_plan,
    pack_report,
)
from codefeedback_env.languages import Submission

MAX_PROBLEM_BYTES = 64 << 20  # held ready by an actor, and by a caller for new actors

Answer = tuple[Any, ...]


class JudgeActor:
    """One judge with one worker: the trusted process, the jail and the zygote on this node.

    Answers are tuples that begin with a word, like the messages of a worker. What programs do never
    raises here, so an exception that reaches the caller means that the actor or its node is lost.
    """

    def __init__(self, sandbox: str, python: str | None) -> None:
        """Nothing starts before ``greet``. Reports are remembered by the caller, for all nodes."""
        self._judge = Judge(sandbox=sandbox, num_workers=1, python=python, num_remembered=0)
        self._problems: OrderedDict[bytes, PackedProblem] = OrderedDict()
        self._problem_bytes = 0
        self._under_way: dict[int, Future[JudgeReport]] = {}

    async def greet(self) -> Answer:
        """("ready", info) when the worker can judge, or ("unavailable", why)."""
        try:
            info = await asyncio.to_thread(self._judge.info)
        except SandboxError as error:
            return "unavailable", f"node {socket.gethostname()}: {error}"
        return "ready", info

    async def judge(
        self,
        number: int,
        key: bytes,
        problem: PackedProblem | None,
        submission: Submission,
        plan: bytes,
    ) -> Answer:
        """Judge job ``number``.

        Args:
            number: for ``cancel``.
            key: of the problem.
            problem: None where the caller believes that this actor has it already.
            submission: the program.
            plan: encoded.

        Returns:
            ("report", packed, may_keep), ("failed", why), ("unavailable", why), ("cancelled",) or
            ("unknown problem",).
        """
        if problem is not None:
            self._keep(problem)
        known = self._problems.get(key)
        if known is None:
            return ("unknown problem",)
        self._problems.move_to_end(key)
        try:
            future = self._judge.submit(known, submission, decode_plan(plan))
            self._under_way[number] = future
            report = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            return ("cancelled",)
        except SandboxUnavailableError as error:
            return "unavailable", f"node {socket.gethostname()}: {error}"
        except SandboxError as error:
            return "failed", str(error)
        finally:
            self._under_way.pop(number, None)
        return "report", pack_report(report), is_repeatable(report, known.cpu_time_s)

    async def cancel(self, number: int) -> None:
        """Stop judging a job, if it is still here."""
        with contextlib.suppress(KeyError):
            self._judge.cancel(self._under_way[number])

    def _keep(self, problem: PackedProblem) -> None:
        if problem.key in self._problems:
            return
        self._problems[problem.key] = problem
        self._problem_bytes += len(problem.blob)
        while self._problem_bytes > MAX_PROBLEM_BYTES and len(self._problems) > 1:
            _, oldest = self._problems.popitem(last=False)
            self._problem_bytes -= len(oldest.blob)
