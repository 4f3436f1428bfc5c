"""What the judge and the code in the jail say to each other; imported on both sides."""

import struct

REPORT = struct.Struct("=BBiddd")
"""How one test ended: phase, reason, wait status, CPU s, wall s, peak memory MiB."""

CHILD_REPORT = struct.Struct("=ii9q104x")
"""The same of a leader's child, as the kernel says it: reason, wait status, then seconds and
nanoseconds at the start and at the end, then struct rusage, of which the first five words matter:
seconds and microseconds as user and as system, peak KiB."""

COMPILING, RUNNING = 0, 1
ENDED, KILLED_FOR_TIME = 0, 1

PHASE = struct.Struct("=?d")
"""Sent by a one-test child when compilation ends: whether it succeeded, CPU s used so far."""

LIMIT_NAMES = (
    "cpu_time_s",
    "compile_time_s",
    "memory_mib",
    "output_bytes",
    "num_processes",
    "wall_time_s",
    "backstop_s",
)
"""The limits a run needs, in the order in which they are passed."""

LIMITS = struct.Struct("=" + "d" * len(LIMIT_NAMES))
"""A submission's limits; source and a file for the compiler's output come as descriptors, and where
functions are called a file for ``functions.prepare``."""

MAX_FDS_OF_SUBMISSION = 3

READY, LEADER, PID, TESTS = b"R", b"L", b"P", b"T"
"""Kinds of messages: the zygote is up; make a leader; here is its pidfd; run these tests."""

COMPILED, NOT_COMPILED = b"C", b"E"
"""A leader's first answer."""

FDS_PER_TEST = 3
MAX_TESTS_PER_MESSAGE = 32
