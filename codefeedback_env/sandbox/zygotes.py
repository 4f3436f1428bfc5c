"""One jail for all submissions of a worker: a process is forked for each test, nothing is started.

The jail's first process, the zygote, forks a leader for each submission, which compiles it and
forks a child for each test. What goes on in there is in the package ``zygote``.
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Generator, Sequence
from typing import NamedTuple

from codefeedback_env.errors import SandboxError
from codefeedback_env.sandbox.base import (
    Input,
    Limits,
    RunResult,
    output_file,
    read_stderr,
    sealed_memory_file,
)
from codefeedback_env.sandbox.boot import boot_code, python_command
from codefeedback_env.sandbox.interpreters import Interpreter
from codefeedback_env.sandbox.jails import Jail, limit_values
from codefeedback_env.sandbox.results import child_report, run_result
from codefeedback_env.sandbox.zygote import wire

START_UP_S = 60.0
ANSWER_S = 30.0
"""Beyond the limits of a program, a process in the jail that has not answered is broken."""

FIRST_BATCH = 1  # most submissions fail early, and descriptors that are not used cost time
BATCH_GROWTH = 4
_TIMEVAL = struct.Struct("@ll")


class ZygoteSandbox:
    """Runs programs in forks of an interpreter that waits inside a jail.

    The jail starts with the first program; others, for programs that mention numpy and for those
    whose functions are called, with the first program that needs them.
    """

    filters_system_calls = True

    def __init__(self, jail: Jail, interpreter: Interpreter) -> None:
        """Programs run under ``interpreter`` inside ``jail``."""
        self.name = jail.name
        self._jail = jail
        self._interpreter = interpreter
        self._zygotes: dict[_Kind, _Zygote] = {}

    def run(
        self,
        source: bytes,
        inputs: Sequence[Input],
        limits: Limits,
        function: bytes | None = None,
    ) -> Generator[RunResult, None, None]:
        """See Sandbox."""
        leader = self._lead(source, limits, function)
        with contextlib.closing(leader):
            if leader.compiler_message is not None:
                yield RunResult(compiled=False, stderr=leader.compiler_message)
                return
            if not inputs:
                yield RunResult(exit_code=0)
                return
            first, size = 0, FIRST_BATCH
            while first < len(inputs):
                yield from leader.run(inputs[first : first + size])
                first += size
                size = min(size * BATCH_GROWTH, wire.MAX_TESTS_PER_MESSAGE)

    def close(self) -> None:
        """End the jails and everything in them."""
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()

    def _lead(self, source: bytes, limits: Limits, function: bytes | None) -> "_Leader":
        """A leader that has compiled, or failed to.

        One that died over the compilation gets a second chance, lest somebody else had killed it.
        """
        kind = _Kind(
            with_numpy=b"numpy" in source and self._interpreter.numpy_version is not None,
            for_functions=function is not None,
        )
        leader = _Leader(self._zygote(kind), source, limits, function)
        if leader.died_compiling:
            leader.close()
            leader = _Leader(self._zygote(kind), source, limits, function)
        return leader

    def _zygote(self, kind: "_Kind") -> "_Zygote":
        zygote = self._zygotes.get(kind)
        if zygote is None:
            zygote = _Zygote(self.name, self._jail, self._interpreter, kind)
            self._zygotes[kind] = zygote
        return zygote


class _Kind(NamedTuple):
    """What a zygote has loaded beforehand: everything there makes its forks dearer."""

    with_numpy: bool
    for_functions: bool


class _Zygote:
    """The jail and its first process."""

    def __init__(self, name: str, jail: Jail, interpreter: Interpreter, kind: _Kind) -> None:
        self.name = name
        self.jail = jail
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        boot = sealed_memory_file(
            "boot", boot_code("function_zygote" if kind.for_functions else "zygote")
        )
        self._complaints: int | None = output_file(
            "complaints"
        )  # a pipe nobody reads would block when full
        fds = [boot, theirs.fileno()]
        command = [
            *python_command(interpreter.path),
            *map(str, fds),
            "namespaces" if jail.has_namespaces else "landlock",
            (jail.site or interpreter.site) if interpreter.numpy_version else "",
            "1" if kind.with_numpy else "0",
            *([] if jail.has_namespaces else (outside for outside, _ in interpreter.binds)),
        ]
        try:
            self._process = subprocess.Popen(
                jail.argv(command, fds, interpreter, for_zygote=True),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                pass_fds=fds,
                **jail.popen_options(),
            )
        finally:
            os.close(boot)
            theirs.close()
        _limit_waiting(self._control, START_UP_S)
        if self._receive()[0] != wire.READY:
            raise SandboxError(f"{name} did not start: {self.close()}")
        _limit_waiting(self._control, ANSWER_S)

    def new_leader(self, connection: socket.socket) -> int:
        """Fork a leader at the other end of ``connection``; returns its pidfd, the caller's."""
        try:
            socket.send_fds(self._control, [wire.LEADER], [connection.fileno()])
        except OSError as error:
            raise SandboxError(f"the zygote of {self.name} is gone: {self.close()}") from error
        message, pidfd = self._receive()
        if message != wire.PID or pidfd is None:
            raise SandboxError(f"the zygote of {self.name} does not answer: {self.close()}")
        return pidfd

    def is_running(self) -> bool:
        """Whether the jail has not ended."""
        return self._process.poll() is None

    def close(self) -> str:
        """End the jail and everything in it; returns what it complained about."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        if self._complaints is None:
            return "it has ended"
        complaint = read_stderr(self._complaints).decode(errors="replace").strip()[-2000:]
        os.close(self._complaints)
        self._complaints = None
        return complaint or f"exit status {self._process.returncode}, no message"

    def _receive(self) -> tuple[bytes, int | None]:
        try:
            message, fds, _, _ = socket.recv_fds(self._control, 64, 1)
        except OSError:
            return b"", None
        return message, fds[0] if fds else None


class _Leader:
    """The process in the jail that runs the tests of one submission."""

    def __init__(
        self, zygote: _Zygote, source: bytes, limits: Limits, function: bytes | None
    ) -> None:
        self._zygote = zygote
        self._limits = limits
        self.compiler_message: bytes | None = None
        """What the compiler said, None where the program compiled."""

        self.died_compiling = False
        self._pidfd: int | None = None
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds: list[int] = []
        try:
            with theirs:  # the submission waits there for its leader
                fds.append(sealed_memory_file("source", source))
                fds.append(output_file("stderr"))
                if function is not None:
                    fds.append(sealed_memory_file("function", function))
                self._send(wire.LIMITS.pack(*limit_values(limits, zygote.jail)), fds)
                self._pidfd = zygote.new_leader(theirs)
            self._await_compilation(fds[1])
        except BaseException:  # an interrupt too must leave no leader behind
            self.close()
            raise
        finally:
            for fd in fds:
                os.close(fd)

    def run(self, inputs: Sequence[Input]) -> Generator[RunResult, None, None]:
        """One batch of tests."""
        fds: list[int] = []
        try:
            for file in inputs:
                fds.append(file.open())
                fds.append(output_file("stdout"))
                fds.append(output_file("stderr"))
            self._send(wire.TESTS, fds)
            for stdout, stderr in zip(fds[1::3], fds[2::3], strict=True):
                report = self._receive()
                if len(report) != wire.CHILD_REPORT.size:
                    raise self._failure("stopped in the middle of a test")
                yield run_result(child_report(report), stdout, stderr, self._limits)
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """Kill the leader, and with it the child it has."""
        self._connection.close()
        if self._pidfd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = None

    def _await_compilation(self, stderr: int) -> None:
        # The kernel kills it at the CPU limit; by the clock that can take much longer.
        _limit_waiting(self._connection, 20 * self._limits.compile_time_s + ANSWER_S)
        answer = self._receive()
        if answer == wire.NOT_COMPILED:
            self.compiler_message = read_stderr(stderr)
        elif answer != wire.COMPILED:
            if not self._zygote.is_running():
                raise self._failure("ended with its jail")
            self.died_compiling = True
            self.compiler_message = b"Compiling the program crashed the interpreter."
        _limit_waiting(self._connection, self._limits.backstop_s + ANSWER_S)

    def _send(self, message: bytes, fds: Sequence[int]) -> None:
        try:
            socket.send_fds(self._connection, [message], fds)
        except OSError as error:
            raise self._failure("does not listen") from error

    def _receive(self) -> bytes:
        """The next message, b"" where none comes in time or the leader is gone."""
        try:
            return self._connection.recv(wire.CHILD_REPORT.size)
        except OSError:
            return b""

    def _failure(self, what: str) -> SandboxError:
        return SandboxError(f"a submission's process in {self._zygote.name} {what}")


def _limit_waiting(connection: socket.socket, seconds: float) -> None:
    """Let the kernel end a receive after so long: one system call each instead of four."""
    timeval = _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
