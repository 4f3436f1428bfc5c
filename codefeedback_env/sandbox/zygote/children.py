"""Inside the jail: how a leader waits for its test children, writing to as few pages as possible.

What a process writes to for the first time after a fork costs it a page fault, of more than a
microsecond. ``os.wait4`` imports a module each time, and like ``sigtimedwait`` makes objects on
dozens of pages. Here the kernel writes into one prepared report, which goes to the judge as it is.
"""

import _signal
import ctypes
import os
import struct
import time

from codefeedback_env.sandbox.zygote.watch import Watch, cpu_time_s
from codefeedback_env.sandbox.zygote.wire import CHILD_REPORT, KILLED_FOR_TIME

_TIMESPEC = struct.Struct("@ll")
_REASON = struct.Struct("=i")
_STATUS_AT, _START_AT, _END_AT, _USAGE_AT = 4, 8, 24, 40  # in CHILD_REPORT
_SIGNAL_SET_BYTES = 128  # sigset_t
_CHILD_SIGNALS = frozenset({_signal.SIGCHLD})
_NO_HANG, _MONOTONIC = os.WNOHANG, time.CLOCK_MONOTONIC  # quicker to look up here

_libc = ctypes.CDLL(None)
_clock_gettime = _libc.clock_gettime
_sigtimedwait = _libc.sigtimedwait
_wait4 = _libc.wait4


class ChildWatcher:
    """Supervises one child at a time and reports on it; made once for all leaders.

    SIGCHLD is blocked from then on, in children too, which have none of their own to hear of.
    """

    __slots__ = (
        *("_child_signals", "_end", "_first_look", "_limits", "_report"),
        *("_start", "_status", "_timeout", "_usage"),
    )

    def __init__(self) -> None:
        """``set_limits`` comes before the first child."""
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _CHILD_SIGNALS)
        self._limits: dict[str, float] = {}
        self._report = ctypes.create_string_buffer(CHILD_REPORT.size)
        self._start = ctypes.byref(self._report, _START_AT)
        self._end = ctypes.byref(self._report, _END_AT)
        self._status = ctypes.byref(self._report, _STATUS_AT)
        self._usage = ctypes.byref(self._report, _USAGE_AT)
        child_signals = ctypes.create_string_buffer(_SIGNAL_SET_BYTES)
        _libc.sigaddset(child_signals, int(_signal.SIGCHLD))
        self._child_signals = ctypes.byref(child_signals)
        self._timeout = ctypes.create_string_buffer(_TIMESPEC.size)
        self._first_look = ctypes.byref(self._timeout)

    def set_limits(self, limits: dict[str, float]) -> None:
        """``limits``: cpu_time_s, wall_time_s, backstop_s."""
        self._limits = limits
        look_s = self._watch(time.monotonic()).next_look_s()
        _TIMESPEC.pack_into(self._timeout, 0, int(look_s), int(look_s % 1 * 1e9))

    def start(self) -> None:
        """The next child is about to be forked."""
        _clock_gettime(_MONOTONIC, self._start)

    def report_on(self, child: int) -> "ctypes.Array[ctypes.c_char] | bytes":
        """Wait for the child to end, or end it for its time; returns a CHILD_REPORT."""
        _sigtimedwait(self._child_signals, None, self._first_look)
        ended = _wait4(child, self._status, _NO_HANG, self._usage)
        killed = ended != child and self._supervise(child)
        _clock_gettime(_MONOTONIC, self._end)
        if killed:
            return _REASON.pack(KILLED_FOR_TIME) + self._report.raw[_REASON.size :]
        return self._report

    def _supervise(self, child: int) -> bool:
        """The long way, for a child that uses up its time; returns whether it was killed for it."""
        seconds, nanoseconds = _TIMESPEC.unpack_from(self._report, _START_AT)
        watch = self._watch(seconds + nanoseconds * 1e-9)
        killed = False
        while True:
            if not killed and watch.is_over(cpu_time_s(child)):
                killed = True
                os.kill(child, _signal.SIGKILL)
            _signal.sigtimedwait(_CHILD_SIGNALS, watch.next_look_s())
            ended = _wait4(child, self._status, _NO_HANG, self._usage)
            if ended == child:
                return killed
            if ended < 0:
                raise ChildProcessError(f"there is no child {child} to wait for")

    def _watch(self, start_s: float) -> Watch:
        limits = self._limits
        return Watch(
            limits["cpu_time_s"], 0.0, limits["wall_time_s"], limits["backstop_s"], start_s
        )
