"""What the sandboxes are measured against: the fork floor, and a jail started by hand per test."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codefeedback_env.sandbox.interpreters import Interpreter
from codefeedback_env.sandbox.jails import FIRST_JAIL_UID

RAW_NSJAIL = "nsjail + python"
_COUNT = struct.Struct("=I")

_FLOOR = """
import gc, os, sys
for name in sys.argv[1:]:
    __import__(name)
gc.collect(); gc.freeze(); gc.disable()
while count := os.read(0, 4):
    for _ in range(int.from_bytes(count, sys.byteorder)):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.wait4(child, 0)
    os.write(1, count)
"""


class ForkFloor:
    """The least a process per test can cost: a Python forks, the child ends at once.

    Its heap is frozen, so that the collector touches no page that the child shares.
    """

    def __init__(self, python: str, modules: Sequence[str] = ()) -> None:
        """Starts ``python`` without any packages, and with ``modules`` imported."""
        self._process = subprocess.Popen(
            [python, "-I", "-S", "-c", _FLOOR, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, num_forks: int) -> None:
        """Fork so many times, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(_COUNT.pack(num_forks))
        self._process.stdin.flush()
        if len(self._process.stdout.read(_COUNT.size)) != _COUNT.size:
            raise RuntimeError(f"the fork floor ended with status {self._process.wait()}")

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that runs one program on one test and ends."""

    name: str
    argv: tuple[str, ...]

    def run(self, stdin_fd: int) -> bytes:
        """What it prints.

        stdout is a file in memory, which is the cheapest there is: with a pipe this process would
        have to wait for output and for the end.
        """
        os.lseek(stdin_fd, 0, os.SEEK_SET)
        stdout = os.memfd_create("stdout")
        try:
            process = subprocess.Popen(
                self.argv, stdin=stdin_fd, stdout=stdout, stderr=subprocess.DEVNULL, env={}
            )
            if process.wait() != 0:
                raise RuntimeError(f"{self.name} ended with status {process.returncode}")
            return os.pread(stdout, 1 << 16, 0)
        finally:
            os.close(stdout)


def bare_python(interpreter: Interpreter, source: str) -> Command:
    """The program in a new interpreter, in no jail."""
    return Command("python", (interpreter.path, "-I", "-S", "-c", source))


def raw_nsjail(interpreter: Interpreter, source: str) -> Command | None:
    """One nsjail and one interpreter for each test, without any of our code; None without it."""
    binary = shutil.which("nsjail")
    if binary is None:
        return None
    ids = f"99999:{FIRST_JAIL_UID}:1" if os.getuid() == 0 else "99999"
    argv = [binary, "-Q", "-Mo", "-u", ids, "-g", ids, "--disable_proc", "--time_limit", "10"]
    argv += ["--rlimit_as", "512", "--rlimit_cpu", "5", "--rlimit_nofile", "32"]
    for outside, inside in interpreter.binds:
        argv += ["-R", f"{outside}:{inside}"]
    return Command(RAW_NSJAIL, (*argv, "--", *bare_python(interpreter, source).argv))


def raw_bubblewrap(interpreter: Interpreter, source: str) -> Command | None:
    """The same with bubblewrap."""
    binary = shutil.which("bwrap")
    if binary is None:
        return None
    argv = [binary, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    argv += ["--clearenv", "--uid", "99999", "--gid", "99999"]
    for outside, inside in interpreter.binds:
        if os.path.islink(outside) and outside == inside:
            argv += ["--symlink", os.readlink(outside), inside]
        else:
            argv += ["--ro-bind", outside, inside]
    return Command("bubblewrap + python", (*argv, "--", *bare_python(interpreter, source).argv))


BASELINES: tuple[Callable[[Interpreter, str], Command | None], ...] = (
    bare_python,
    raw_bubblewrap,
    raw_nsjail,
)
