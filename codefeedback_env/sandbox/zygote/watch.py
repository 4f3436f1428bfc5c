"""Inside the jail: when a run has had its time."""

import time

SLEEPER_CPU_SHARE = 0.05  # of the wall time of a window; below it nothing was computed
LOOKS_PER_WINDOW = 4
"""A window takes as many looks, each some time after the last: where the whole machine stood still,
or this process did not get to look, the clock alone must not condemn a program."""


class Watch:
    """Decides on one run, by its CPU time as far as possible.

    Over is a run that has used its CPU time; one that has hardly used the CPU in a window of
    ``wall_time_s``; and any after ``backstop_s``. A run that was only starved by a busy machine
    goes on.
    """

    def __init__(
        self,
        cpu_limit_s: float,
        cpu_before_s: float,
        wall_time_s: float,
        backstop_s: float,
        start_s: float | None = None,
    ) -> None:
        """Since ``start_s`` of time.monotonic(), or now; ``cpu_before_s`` was used before that."""
        self.cpu_before_s = cpu_before_s
        self._cpu_limit_s = cpu_limit_s
        self._cpu_left_s = cpu_limit_s
        self._window_s = wall_time_s
        self._next_look_s = wall_time_s / LOOKS_PER_WINDOW
        self._num_looks = 0
        self._cpu_before_window_s = 0.0
        self._backstop_s = backstop_s
        self._start = time.monotonic() if start_s is None else start_s

    def wall_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def next_look_s(self) -> float:
        """Seconds until a single thread could reach a limit at the earliest."""
        wall = self.wall_s()
        next_check = min(self._next_look_s, self._backstop_s) - wall
        return max(min(self._cpu_left_s, next_check), 0.0) + 0.001

    def is_over(self, cpu_time_s: float | None) -> bool:
        """Whether the process, with this much CPU time in all, has to go."""
        wall = self.wall_s()
        used = 0.0 if cpu_time_s is None else cpu_time_s - self.cpu_before_s
        self._cpu_left_s = max(self._cpu_limit_s - used, 0.0)
        if used > self._cpu_limit_s or wall > self._backstop_s:
            return True
        if wall <= self._next_look_s:
            return False
        self._next_look_s = wall + self._window_s / LOOKS_PER_WINDOW
        self._num_looks += 1
        if self._num_looks % LOOKS_PER_WINDOW:
            return False
        # Where CPU time cannot be measured, every run counts as a sleeper: the wall clock decides.
        is_sleeper = used - self._cpu_before_window_s < SLEEPER_CPU_SHARE * self._window_s
        self._cpu_before_window_s = used
        return is_sleeper


def cpu_time_s(pid: int) -> float | None:
    """CPU time so far of another process, None where that cannot be measured.

    Source: clock_getcpuclockid(3), which makes the clock's number from the process's.
    """
    try:
        return time.clock_gettime(((~pid) << 3) | 2)
    except OSError:
        return None
