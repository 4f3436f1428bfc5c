"""Inside the jail: runs one program on one input and reports how it ended.

The supervising process here is the jail's first process. It never runs the program, nor compiles
it: both happen in a forked child, so that nothing a program does can take the report away.
"""

import _signal
import os
import select
import sys
import time

from codefeedback_env.sandbox.zygote import program
from codefeedback_env.sandbox.zygote.wire import (
    COMPILING,
    ENDED,
    KILLED_FOR_TIME,
    LIMIT_NAMES,
    PHASE,
    REPORT,
    RUNNING,
)

SLEEPER_CPU_SHARE = 0.05  # of the wall time since the last look; below it nothing was computed
KIB_PER_MIB = 1024 if sys.platform != "darwin" else 1024 * 1024


def main(arguments: list[str]) -> None:
    """Run the program described by ``arguments`` and send one REPORT.

    Arguments: descriptors of source, stdin, stdout, stderr and report socket; the site folder;
    "run" or "compile"; then the limits in the order of LIMIT_NAMES.
    """
    source_fd, stdin_fd, stdout_fd, stderr_fd, report_fd = map(int, arguments[:5])
    site, task = arguments[5:7]
    limits = dict(zip(LIMIT_NAMES, map(float, arguments[7:]), strict=True))
    _forbid_tracing()
    source = os.pread(source_fd, os.fstat(source_fd).st_size, 0)
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(wake_write)
    phase_read, phase_write = os.pipe()
    os.set_blocking(phase_read, False)
    child = os.fork()
    if child == 0:
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        os.setpgid(0, 0)

        def begin(compiled: bool) -> None:
            os.write(phase_write, PHASE.pack(compiled, program.cpu_used_s()))
            os.closerange(3, 1 << 16)
            if task == "compile":
                os._exit(0)

        program.become_program(source, (stdin_fd, stdout_fd, stderr_fd), limits, site, begin)
    os.close(phase_write)
    report = _supervise(child, phase_read, wake_read, report_fd, limits)
    os.write(report_fd, report)


def _supervise(
    child: int, phase_read: int, wake_read: int, report_fd: int, limits: dict[str, float]
) -> bytes:
    poll = select.poll()
    poll.register(phase_read, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    poll.register(report_fd, select.POLLHUP)  # the judge went away: leave at once
    phase, reason = COMPILING, ENDED
    watch = _Watch(limits["compile_time_s"], 0.0, limits)
    finished, phase_known = 0, False
    while not finished:
        events = [fd for fd, _ in poll.poll(watch.next_look_s() * 1000 + 1)]
        if report_fd in events:
            _kill_group(child)
            os._exit(1)
        if wake_read in events:
            os.read(wake_read, 512)
        finished, status, usage = os.wait4(child, os.WNOHANG)
        if not phase_known and (finished or phase_read in events):
            phase_known = True
            poll.unregister(phase_read)
            message = _read(phase_read)
            if message:
                compiled, cpu_before = PHASE.unpack(message)
                if compiled:
                    phase = RUNNING
                    watch = _Watch(limits["cpu_time_s"], cpu_before, limits)
        if not finished and reason == ENDED and watch.is_over(_cpu_time_s(child)):
            reason = KILLED_FOR_TIME
            os.kill(child, _signal.SIGKILL)
    _kill_group(child)
    return REPORT.pack(
        phase,
        reason,
        status,
        max(usage.ru_utime + usage.ru_stime - watch.cpu_before, 0.0),
        watch.wall_s(),
        usage.ru_maxrss / KIB_PER_MIB,
    )


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, PHASE.size)
    except BlockingIOError:
        return b""


def _kill_group(leader: int) -> None:
    """End what the program started; in a jail, the end of this process does it again."""
    try:  # noqa: SIM105 - contextlib costs a test a millisecond
        os.killpg(leader, _signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


class _Watch:
    """Decides when a run has had its time."""

    def __init__(self, cpu_limit_s: float, cpu_before: float, limits: dict[str, float]) -> None:
        self.cpu_before = cpu_before
        self._cpu_limit_s = cpu_limit_s
        self._start = time.monotonic()
        self._look_every_s = limits["wall_time_s"]
        self._next_sleep_check = self._look_every_s
        self._cpu_at_last_check = 0.0
        self._backstop_s = limits["backstop_s"]
        self._cpu_left_s = cpu_limit_s

    def wall_s(self) -> float:
        return time.monotonic() - self._start

    def next_look_s(self) -> float:
        """When the CPU limit could be reached at the earliest, one thread running."""
        wall = self.wall_s()
        return max(min(self._cpu_left_s, self._next_sleep_check - wall, self._backstop_s - wall), 0)

    def is_over(self, cpu_time_s: float | None) -> bool:
        wall = self.wall_s()
        if cpu_time_s is None:  # not measurable on this system: go by the wall clock
            return wall > self._next_sleep_check
        used = cpu_time_s - self.cpu_before
        self._cpu_left_s = max(self._cpu_limit_s - used, 0.001)
        if used > self._cpu_limit_s or wall > self._backstop_s:
            return True
        if wall > self._next_sleep_check:
            if used - self._cpu_at_last_check < SLEEPER_CPU_SHARE * self._look_every_s:
                return True
            self._cpu_at_last_check = used
            self._next_sleep_check = wall + self._look_every_s
        return False


def _cpu_time_s(pid: int) -> float | None:
    """CPU time so far of another process, as clock_getcpuclockid(3) names its clock."""
    try:
        return time.clock_gettime(((~pid) << 3) | 2)
    except OSError:
        return None


def _forbid_tracing() -> None:
    """Keep the program from attaching to this process, which has its user id."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
