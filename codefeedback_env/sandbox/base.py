"""What every sandbox takes and gives."""

import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

DEFAULT_OUTPUT_BYTES = 64 << 20
STDERR_KEPT_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run of a program may use."""

    cpu_time_s: float
    memory_mib: int
    output_bytes: int = DEFAULT_OUTPUT_BYTES
    """For stdout and stderr each."""

    num_processes: int = 64
    """Processes and threads together."""

    compile_time_s: float = 10.0
    """CPU seconds to compile the program."""

    waiting_s: float = 0.0
    """How long it may have to wait for somebody else, beyond what its own work takes."""

    @property
    def wall_time_s(self) -> float:
        """After this long a program that has hardly used the CPU is sleeping, and dies."""
        return 2 * self.cpu_time_s + 1 + self.waiting_s

    @property
    def backstop_s(self) -> float:
        """After this long any program dies, however starved of CPU it was."""
        return max(20 * self.cpu_time_s + self.waiting_s, self.wall_time_s)


class LimitHit(StrEnum):
    """Which limit ended a run."""

    SECURITY = "security"
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How one run ended."""

    compiled: bool = True
    """False where the source does not compile; then ``stderr`` says why and nothing ran."""

    limit_hit: LimitHit | None = None
    exit_code: int | None = None
    """None where a signal ended the program or nothing ran."""

    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    """Head and tail where it is longer than STDERR_KEPT_BYTES."""

    cpu_time_s: float = 0.0
    wall_time_s: float = 0.0
    peak_memory_mib: float = 0.0


class Sandbox(Protocol):
    """Runs one program on many inputs, each run cut off from everything else."""

    name: str
    filters_system_calls: bool
    """Whether hostile system calls end a program; else only its namespaces, if any, stop them."""

    def run(
        self,
        source: bytes,
        inputs: Sequence["Input"],
        limits: Limits,
        function: bytes | None = None,
    ) -> Generator[RunResult, None, None]:
        """Compile ``source``, then run it on each input, in order, one result at a time.

        A program that does not compile gives exactly one result; so does an empty ``inputs``, for
        the compilation alone. Closing the generator cancels what has not run.

        With ``function``, which ``zygote.functions.prepare`` reads, the source is not run as a
        program: a function of it is called, or it is a test that calls one.

        Raises:
            SandboxError: the sandbox itself failed; results already given stand.
        """

    def close(self) -> None:
        """End every process; using the sandbox again starts it again."""


class Input(Protocol):
    """What becomes a program's stdin."""

    def open(self) -> int:
        """A new descriptor for it; the caller closes it."""


@dataclass(slots=True)
class InputFile:
    """A test's stdin as a regular file in memory that nobody can change.

    A pipe would break real accepted programs, which ask the file for its size.
    """

    data: bytes
    _fd: int | None = field(default=None, repr=False)

    def open(self) -> int:
        """A new read-only descriptor at offset 0; the caller closes it."""
        if sys.platform != "linux":
            return _temporary_copy(self.data)
        if self._fd is None:
            self._fd = sealed_memory_file("stdin", self.data)
        return os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Release the memory file; ``open`` makes it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def sealed_memory_file(name: str, data: bytes) -> int:
    """A file with ``data`` that nobody, the owner included, can write, grow or shrink.

    Where there are no memory files, a temporary one that no path leads to.
    """
    if sys.platform != "linux":
        return _temporary_copy(data)
    import fcntl

    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    _write_all(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(
        fd,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE,
    )
    return fd


def output_file(name: str) -> int:
    """An empty file that no path leads to, for a program's output."""
    if sys.platform == "linux":
        return os.memfd_create(name, os.MFD_CLOEXEC)
    return _temporary_copy(b"")


def read_stderr(fd: int) -> bytes:
    """An error output, or its head and tail where it is long."""
    size = os.fstat(fd).st_size
    if size <= STDERR_KEPT_BYTES:
        return os.pread(fd, size, 0)
    half = STDERR_KEPT_BYTES // 2
    return os.pread(fd, half, 0) + b"\n...\n" + os.pread(fd, half, size - half)


def _temporary_copy(data: bytes) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        fd = os.dup(file.fileno())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
