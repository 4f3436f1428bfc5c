"""From what the jail reports about a run to a RunResult."""

import os
import signal

from codefeedback_env.sandbox.base import LimitHit, Limits, RunResult, read_output, read_stderr
from codefeedback_env.sandbox.zygote import wire


def run_result(message: bytes, stdout_fd: int, stderr_fd: int, limits: Limits) -> RunResult:
    """A test that ran, or in a one-test jail a program that did not compile."""
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
