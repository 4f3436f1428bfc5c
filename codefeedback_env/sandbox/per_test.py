"""One jail for every test: slow and simple, the reference of the faster sandboxes."""

import contextlib
import os
import select
import socket
import subprocess
from collections.abc import Generator, Sequence

from codefeedback_env.errors import SandboxError
from codefeedback_env.sandbox.base import (
    Input,
    InputFile,
    Limits,
    RunResult,
    output_file,
    sealed_memory_file,
)
from codefeedback_env.sandbox.boot import boot_code, python_command
from codefeedback_env.sandbox.interpreters import Interpreter
from codefeedback_env.sandbox.jails import Jail, limit_values
from codefeedback_env.sandbox.results import run_result
from codefeedback_env.sandbox.zygote import wire

START_UP_S = 60.0
"""A jail that has not answered this long after its last possible answer is broken."""

_NUM_FDS = 6  # of every test; one more says which function is called


class PerTestSandbox:
    """Starts a jail and a fresh interpreter in it for each input."""

    def __init__(self, jail: Jail, interpreter: Interpreter) -> None:
        """Programs run under ``interpreter`` inside ``jail``."""
        self.name = jail.name if jail.name == "unsafe" else f"{jail.name}-per-test"
        self.filters_system_calls = jail.name != "unsafe"
        self._jail = jail
        self._interpreter = interpreter

    def run(
        self,
        source: bytes,
        inputs: Sequence[Input],
        limits: Limits,
        function: bytes | None = None,
    ) -> Generator[RunResult, None, None]:
        """See Sandbox."""
        for stdin in inputs or (InputFile(b""),):
            result = self._run_once(source, stdin, limits, function, compile_only=not inputs)
            yield result
            if not result.compiled:
                return

    def close(self) -> None:
        """Nothing outlives a test."""

    def _run_once(
        self,
        source: bytes,
        stdin: Input,
        limits: Limits,
        function: bytes | None,
        compile_only: bool,
    ) -> RunResult:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as stack:
            stack.callback(ours.close)
            stack.callback(theirs.close)

            def keep(fd: int) -> int:
                stack.callback(os.close, fd)
                return fd

            purpose = "one_test" if function is None else "one_function_test"
            fds = [
                keep(sealed_memory_file("boot", boot_code(purpose))),
                keep(sealed_memory_file("source", source)),
                keep(stdin.open()),
                keep(output_file("stdout")),
                keep(output_file("stderr")),
                theirs.fileno(),
            ]
            if function is not None:
                fds.append(keep(sealed_memory_file("function", function)))
            process = self._start(fds, limits, compile_only)
            theirs.close()
            try:
                message = _receive(
                    ours, limits.backstop_s + 20 * limits.compile_time_s + START_UP_S
                )
            finally:
                complaint = _end(process)
            if len(message) != wire.REPORT.size:
                raise SandboxError(
                    f"{self.name} gave no result (exit status {process.returncode}): "
                    f"{complaint or 'it printed nothing'}"
                )
            stdout, stderr = fds[3], fds[4]
            return run_result(wire.REPORT.unpack(message), stdout, stderr, limits)

    def _start(self, fds: list[int], limits: Limits, compile_only: bool) -> subprocess.Popen[bytes]:
        site = self._jail.site or self._interpreter.site
        command = [
            *python_command(self._interpreter.path),
            *map(str, fds[:_NUM_FDS]),
            site if self._interpreter.numpy_version else "",
            "compile" if compile_only else "run",
            "filtered" if self.filters_system_calls else "unfiltered",
            "".join(map(str, fds[_NUM_FDS:])),
            *map(repr, limit_values(limits, self._jail)),
        ]
        return subprocess.Popen(
            self._jail.argv(command, fds, self._interpreter),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            **self._jail.popen_options(),
        )


def _receive(connection: socket.socket, timeout_s: float) -> bytes:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(timeout_s * 1000):
        return b""
    try:
        return connection.recv(wire.REPORT.size)
    except ConnectionResetError:
        return b""


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill the jail and everything in it; returns what it complained about."""
    process.kill()
    process.wait()
    assert process.stderr is not None
    with process.stderr as stream:
        os.set_blocking(stream.fileno(), False)
        complaint = stream.read() or b""
    return complaint.decode(errors="replace").strip()[-2000:]
