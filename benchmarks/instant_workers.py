"""Judge workers that answer at once, to measure what the caller itself spends on a submission.

Real workers take most of a machine, and a caller that is woken every 20 ms finds its caches cold;
with many cores behind one caller it hardly sleeps. Here one process stands in for all the workers:
it runs no program and says that every test was passed.
"""

import contextlib
import pickle
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codefeedback_env.judge.pool import PoolSettings, WorkerPool
from codefeedback_env.judge.protocol import (
    JudgeReport,
    JudgingTask,
    MessageReader,
    WorkerInfo,
    decode_plan,
    pack_report,
    send,
)
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import TestReport, TestResult, Verdict


@contextlib.contextmanager
def instant_pool(num_workers: int) -> Iterator[WorkerPool]:
    """A pool whose workers are one process that answers at once."""
    pairs = [socket.socketpair() for _ in range(num_workers)]
    numbers = [theirs.fileno() for _, theirs in pairs]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.instant_workers", *map(str, numbers)],
        pass_fds=numbers,
        cwd=Path(__file__).parents[1],
    )
    for _, theirs in pairs:
        theirs.close()
    settings = PoolSettings(sandbox="none", num_workers=num_workers, python=None, num_remembered=0)
    pool = WorkerPool(settings, [ours for ours, _ in pairs])
    try:
        pool.info()
        yield pool
    finally:
        pool.close()
        process.wait(10)


class _Connection:
    """One caller's connection to one of the workers."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._reader = MessageReader()
        self._num_tests: dict[bytes, dict[Pool, int]] = {}
        self._packed: dict[tuple[bytes, bytes], tuple[Any, ...]] = {}
        send(
            connection,
            ("ready", WorkerInfo(sandbox="none", python_version="none", numpy_version=None)),
        )

    def answer(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            match message:
                case ("problem", key, blob):
                    task: JudgingTask = pickle.loads(blob)
                    self._num_tests[key] = {pool: len(tests) for pool, tests in task.tests.items()}
                case ("judge", number, key, _, plan):
                    if (key, plan) not in self._packed:
                        self._packed[key, plan] = self._all_passed(key, plan)
                    send(self.socket, ("report", number, self._packed[key, plan], True))
                case ("recall" | "cancel", _):
                    pass  # the answer is on its way already

    def _all_passed(self, key: bytes, plan: bytes) -> tuple[Any, ...]:
        reports = {}
        for stage in decode_plan(plan).stages:
            num_tests = self._num_tests[key][stage.pool]
            results = tuple(
                TestResult(
                    index=i,
                    verdict=Verdict.ACCEPTED,
                    stdout="accepted\n" if stage.keep_output else "",
                    cpu_time_s=0.0123,
                    wall_time_s=0.0145,
                    peak_memory_mib=10.5,
                    exit_code=0,
                )
                for i in range(num_tests)
            )
            reports[stage.pool] = TestReport(pool=stage.pool, num_tests=num_tests, results=results)
        return pack_report(JudgeReport(compiled=True, compile_error="", reports=reports))


def main(connector_fds: list[int]) -> None:
    """Answer on the connections that come through the connectors, until all are closed."""
    selector = selectors.DefaultSelector()
    for fd in connector_fds:
        connector = socket.socket(fileno=fd)
        _, fds, _, _ = socket.recv_fds(connector, 1, 1)
        connection = _Connection(socket.socket(fileno=fds[0]))
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    while selector.get_map():
        for key, _ in selector.select():
            try:
                data = key.data.socket.recv(1 << 16)
            except ConnectionError:
                data = b""
            if data:
                key.data.answer(data)
            else:
                selector.unregister(key.fileobj)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
