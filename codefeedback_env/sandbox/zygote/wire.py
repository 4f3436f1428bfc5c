"""What the judge and the code in the jail say to each other; imported on both sides."""

import struct

REPORT = struct.Struct("=BBiddd")
"""Phase, reason, wait status, CPU s, wall s, peak memory MiB."""

PHASE = struct.Struct("=?d")
"""Sent by the child when compilation ends: whether it succeeded, and the CPU s used so far."""

COMPILING, RUNNING = 0, 1
ENDED, KILLED_FOR_TIME = 0, 1

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
