"""One jail for every test: slow and simple, the reference of the faster sandboxes."""

import contextlib
import os
import select
import signal
import socket
import subprocess
from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

from codefeedback_env.errors import SandboxError
from codefeedback_env.sandbox.base import (
    InputFile,
    LimitHit,
    Limits,
    RunResult,
    output_file,
    read_output,
    read_stderr,
    sealed_memory_file,
)
from codefeedback_env.sandbox.interpreters import Interpreter
from codefeedback_env.sandbox.jails import Jail
from codefeedback_env.sandbox.zygote import wire

START_UP_S = 60.0
"""A jail that has not answered this long after its last possible answer is broken."""

_MODULES = ("wire", "program", "one_test")
_BOOT = """\
import os, sys, types
fd = int(sys.argv[1])
for name in ("codefeedback_env", "codefeedback_env.sandbox", "codefeedback_env.sandbox.zygote"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = []
for block in os.pread(fd, os.fstat(fd).st_size, 0).decode().split(chr(0)):
    name, _, text = block.partition(chr(10))
    module = types.ModuleType(package.__name__ + "." + name)
    sys.modules[module.__name__] = module
    setattr(package, name, module)
    exec(compile(text, name, "exec"), module.__dict__)
module.main(sys.argv[2:])
"""
"""Makes modules of the texts it reads from a descriptor, so that the jail needs none of our files,
which may lie where the jail's user cannot look."""


class PerTestSandbox:
    """Starts a jail and a fresh interpreter in it for each input."""

    def __init__(self, jail: Jail, interpreter: Interpreter) -> None:
        """Programs run under ``interpreter`` inside ``jail``."""
        self.name = jail.name if jail.name == "unsafe" else f"{jail.name}-per-test"
        self._jail = jail
        self._interpreter = interpreter

    def run(
        self, source: bytes, inputs: Sequence[InputFile], limits: Limits
    ) -> Generator[RunResult, None, None]:
        """See Sandbox."""
        for stdin in inputs or (InputFile(b""),):
            result = self._run_once(source, stdin, limits, compile_only=not inputs)
            yield result
            if not result.compiled:
                return

    def close(self) -> None:
        """Nothing outlives a test."""

    def _run_once(
        self, source: bytes, stdin: InputFile, limits: Limits, compile_only: bool
    ) -> RunResult:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as stack:
            stack.callback(ours.close)
            stack.callback(theirs.close)

            def keep(fd: int) -> int:
                stack.callback(os.close, fd)
                return fd

            fds = [
                keep(sealed_memory_file("boot", _boot_code())),
                keep(sealed_memory_file("source", source)),
                keep(stdin.open()),
                keep(output_file("stdout")),
                keep(output_file("stderr")),
                theirs.fileno(),
            ]
            process = self._start(fds, limits, compile_only)
            theirs.close()
            try:
                message = _receive(ours, limits.backstop_s + limits.compile_time_s + START_UP_S)
            finally:
                complaint = _end(process)
            if len(message) != wire.REPORT.size:
                raise SandboxError(
                    f"{self.name} gave no result (exit status {process.returncode}): "
                    f"{complaint or 'it printed nothing'}"
                )
            stdout, stderr = fds[3], fds[4]
            return _result(message, stdout, stderr, limits)

    def _start(self, fds: list[int], limits: Limits, compile_only: bool) -> subprocess.Popen[bytes]:
        site = self._jail.site or self._interpreter.site
        command = [
            self._interpreter.path,
            *("-s", "-S", "-B", "-X", "utf8", "-c", _BOOT),
            *map(str, fds),
            site if self._interpreter.numpy_version else "",
            "compile" if compile_only else "run",
            *(repr(float(getattr(limits, name))) for name in wire.LIMIT_NAMES),
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


def _result(message: bytes, stdout_fd: int, stderr_fd: int, limits: Limits) -> RunResult:
    phase, reason, status, cpu_time_s, wall_time_s, peak_mib = wire.REPORT.unpack(message)
    died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    stderr = read_stderr(stderr_fd)
    if phase == wire.COMPILING:
        return RunResult(compiled=False, stderr=stderr or _compiler_death(reason, died_of))
    size = max(os.fstat(stdout_fd).st_size, os.fstat(stderr_fd).st_size)
    limit_hit: LimitHit | None = None
    if died_of == signal.SIGSYS:
        limit_hit = LimitHit.SECURITY
    elif reason == wire.KILLED_FOR_TIME or cpu_time_s > limits.cpu_time_s:
        limit_hit = LimitHit.TIME
    elif peak_mib > limits.memory_mib or (status != 0 and _ran_out_of_memory(stderr)):
        limit_hit = LimitHit.MEMORY
    elif died_of == signal.SIGXFSZ or size >= limits.output_bytes:
        limit_hit = LimitHit.OUTPUT
    return RunResult(
        limit_hit=limit_hit,
        exit_code=exit_code,
        signal=died_of,
        stdout=read_output(stdout_fd, limits.output_bytes),
        stderr=stderr,
        cpu_time_s=cpu_time_s,
        wall_time_s=wall_time_s,
        peak_memory_mib=peak_mib,
    )


def _ran_out_of_memory(stderr: bytes) -> bool:
    """The traceback's last line names a MemoryError (numpy's own is a subclass)."""
    return b"MemoryError" in stderr.rstrip().rpartition(b"\n")[2]


def _compiler_death(reason: int, died_of: int | None) -> bytes:
    if reason == wire.KILLED_FOR_TIME:
        return b"The program takes too long to compile."
    return f"Compiling the program crashed the interpreter (signal {died_of}).".encode()


@cache
def _boot_code() -> bytes:
    folder = Path(wire.__file__).parent
    texts = ((name, (folder / f"{name}.py").read_text("utf-8")) for name in _MODULES)
    return "\0".join(f"{name}\n{text}" for name, text in texts).encode()
