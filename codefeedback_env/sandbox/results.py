"""From what the jail reports about a run to a RunResult."""

import os
import signal

from codefeedback_env.sandbox.base import LimitHit, Limits, RunResult, read_stderr
from codefeedback_env.sandbox.zygote import wire

Report = tuple[int, int, int, float, float, float]
"""What wire.REPORT holds."""


def child_report(message: bytes) -> Report:
    """What a leader sends after a test, as a Report."""
    reason, status, start_s, start_ns, end_s, end_ns, *usage = wire.CHILD_REPORT.unpack(message)
    user_s, user_us, system_s, system_us, peak_kib = usage
    cpu_time_s = user_s + system_s + (user_us + system_us) / 1e6
    wall_time_s = end_s - start_s + (end_ns - start_ns) / 1e9
    return wire.RUNNING, reason, status, cpu_time_s, wall_time_s, peak_kib / 1024


def run_result(report: Report, stdout_fd: int, stderr_fd: int, limits: Limits) -> RunResult:
    """A test that ran, or in a one-test jail a program that did not compile."""
    phase, reason, status, cpu_time_s, wall_time_s, peak_mib = report
    died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    # The offset says the size without an object of twenty fields; nobody writes here any more.
    num_stdout_bytes = os.lseek(stdout_fd, 0, os.SEEK_END)
    num_stderr_bytes = os.lseek(stderr_fd, 0, os.SEEK_END)
    stderr = read_stderr(stderr_fd) if num_stderr_bytes else b""
    if phase == wire.COMPILING:
        return RunResult(compiled=False, stderr=stderr or _compiler_death(reason, died_of))
    limit_hit: LimitHit | None = None
    if died_of == signal.SIGSYS:
        limit_hit = LimitHit.SECURITY
    elif reason == wire.KILLED_FOR_TIME or cpu_time_s > limits.cpu_time_s:
        limit_hit = LimitHit.TIME
    elif peak_mib > limits.memory_mib or (status != 0 and _ran_out_of_memory(stderr)):
        limit_hit = LimitHit.MEMORY
    elif (
        died_of == signal.SIGXFSZ or max(num_stdout_bytes, num_stderr_bytes) >= limits.output_bytes
    ):
        limit_hit = LimitHit.OUTPUT
    return RunResult(
        limit_hit=limit_hit,
        exit_code=exit_code,
        signal=died_of,
        stdout=os.pread(stdout_fd, min(num_stdout_bytes, limits.output_bytes), 0),
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
