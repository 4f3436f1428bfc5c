"""Inside the jail: how a program's functions are reached, instead of its standard streams.

A result goes to the end of stdout, behind whatever the program printed there. Calls from another
jail come over a socket, each with a number that its answer has to carry.
"""

import os
import struct
import sys

from codefeedback_env.sandbox.zygote.values import MAX_BYTES, ValueTransferError

_HEADER = struct.Struct("<QI")
_TRAILER = struct.Struct("<Q8s")
_MARK = b"\x00result\x00"
ANSWERED = b"\x00answered\x00"
"""Somewhere in the stdout of a test whose program has answered it."""


def take_stdin() -> int:
    """A descriptor for what was stdin; stdin itself has come to its end from now on."""
    connection = os.dup(0)
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    os.close(write_end)
    return connection


def send(connection: int, number: int, data: bytes) -> None:
    """Send a message; raises OSError where nobody can receive it."""
    _write_all(connection, _HEADER.pack(number, len(data)) + data)


def send_end(connection: int) -> None:
    """Say that no message follows; the other side need not be there any more."""
    try:  # noqa: SIM105 - contextlib costs a test a millisecond
        send(connection, 0, b"")
    except OSError:
        pass


def receive(connection: int) -> tuple[int, bytes] | None:
    """The next message with its number, None where the other side is gone or has sent its end.

    Raises:
        ValueTransferError: it would be longer than any message may be.
    """
    header = _read_exactly(connection, _HEADER.size)
    if header is None:
        return None
    number, size = _HEADER.unpack(header)
    if not size:
        return None
    if size > MAX_BYTES:
        raise ValueTransferError(f"a message of {size} bytes is too long")
    data = _read_exactly(connection, size)
    return None if data is None else (number, data)


def note_answer() -> None:
    """Leave ANSWERED in stdout, for the case that no result follows."""
    _write_all(1, ANSWERED)


def write_result(data: bytes) -> None:
    """Put a result at the end of stdout."""
    flush_streams()
    _write_all(1, data + _TRAILER.pack(len(data), _MARK))


def flush_streams() -> None:
    """Write out what was printed, as far as the program has left the streams to do so."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except BaseException:
            pass  # a stream of the program's own, through which nothing of ours goes


def split_result(stdout: bytes) -> tuple[bytes, bytes | None]:
    """What was printed, and the result behind it or None where there is none."""
    end = len(stdout) - _TRAILER.size
    if end < 0:
        return stdout, None
    size, mark = _TRAILER.unpack_from(stdout, end)
    if mark != _MARK or size > end:
        return stdout, None
    return stdout[: end - size], stdout[end - size : end]


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _read_exactly(fd: int, num_bytes: int) -> bytes | None:
    parts = []
    while num_bytes:
        try:
            part = os.read(fd, min(num_bytes, 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        parts.append(part)
        num_bytes -= len(part)
    return b"".join(parts)
