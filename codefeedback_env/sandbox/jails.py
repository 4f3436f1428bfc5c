"""How to start a command inside nsjail or bubblewrap, or in no jail at all."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from codefeedback_env.errors import SandboxUnavailableError
from codefeedback_env.sandbox.base import Limits
from codefeedback_env.sandbox.interpreters import SITE, Interpreter
from codefeedback_env.sandbox.zygote import wire

NOBODY = 65534
FIRST_JAIL_UID = 100_000  # each worker has a user id of its own above this one, when root
INSIDE_UID = 99999
ENVIRONMENT = {
    "HOME": "/",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same set order, hence the same verdict, in every run
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",  # one BLAS thread per core would reserve memory for each
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
MAX_PROCESSES = 256
FIRST_KERNEL_COUNTING_BY_NAMESPACE = (5, 14)  # before, RLIMIT_NPROC counted all of a user's
MAX_FILES = 256


class Jail(Protocol):
    """Builds the command line that runs a command confined.

    ``argv`` is for a command that runs one program; ``zygote_argv`` for one that makes PID
    namespaces for its children, in which nothing that runs programs keeps that right.
    """

    @property
    def name(self) -> str:
        """What the sandboxes made of it are called after."""

    @property
    def outside_uid(self) -> int:
        """The user id under which the host sees the jail open files."""

    @property
    def site(self) -> str:
        """Where ``Interpreter.binds`` put packages, inside; "" for the host's own folder."""

    def argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """The command line; ``fds`` stay open inside under their numbers."""

    def zygote_argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """The same for a zygote."""

    @property
    def has_namespaces(self) -> bool:
        """Whether the zygote can make PID namespaces."""

    @property
    def counts_processes(self) -> bool:
        """Whether a limit on processes counts those in the jail only, not the user's others."""

    def readable_paths(self, interpreter: Interpreter) -> list[str]:
        """What a zygote without namespaces lets programs read."""

    def popen_options(self) -> dict[str, Any]:
        """Further keyword arguments for ``subprocess.Popen``."""


@dataclass(frozen=True, slots=True)
class NsJail:
    """Google's nsjail: all namespaces, a read-only root, no /proc."""

    binary: str
    worker: int = 0
    name: str = "nsjail"
    site: str = SITE

    @property
    def outside_uid(self) -> int:
        """Root maps to an unprivileged id of the worker's own, else files would be read as root."""
        return FIRST_JAIL_UID + self.worker if os.getuid() == 0 else os.getuid()

    def argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        return self._argv(command, fds, interpreter, [])

    def zygote_argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        return self._argv(command, fds, interpreter, ["--cap", "CAP_SYS_ADMIN"])

    @property
    def has_namespaces(self) -> bool:
        """See Jail."""
        return True

    @property
    def counts_processes(self) -> bool:
        """See Jail."""
        return _kernel_version() >= FIRST_KERNEL_COUNTING_BY_NAMESPACE

    def readable_paths(self, interpreter: Interpreter) -> list[str]:
        """See Jail."""
        return []

    def _argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        options: list[str],
    ) -> list[str]:
        ids = str(INSIDE_UID)
        if os.getuid() == 0:
            ids = f"{INSIDE_UID}:{self.outside_uid}:1"
        argv = [self.binary, "-Q", "-Mo", "-u", ids, "-g", ids, *options]
        for outside, inside in interpreter.binds:
            argv += ["-R", f"{outside}:{inside}"]
        for fd in fds:
            argv += ["--pass_fd", str(fd)]
        for key, value in ENVIRONMENT.items():
            argv += ["-E", f"{key}={value}"]
        argv += ["--disable_proc", "--iface_no_lo", "--time_limit", "0"]
        limits = {"as": "inf", "cpu": "inf", "fsize": "inf", "core": "0", "stack": "inf"}
        limits |= {"nofile": str(MAX_FILES)}
        if self.counts_processes:
            limits |= {"nproc": str(MAX_PROCESSES)}
        for kind, limit in limits.items():
            argv += [f"--rlimit_{kind}", limit]
        return [*argv, "--", *command]

    def popen_options(self) -> dict[str, Any]:
        """See Jail."""
        return {}


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """bubblewrap: all namespaces, a read-only root, no /proc; needs no privileges."""

    binary: str
    worker: int = 0
    name: str = "bubblewrap"
    site: str = SITE

    @property
    def outside_uid(self) -> int:
        """Started as root it is dropped to an unprivileged id of the worker's own first."""
        return FIRST_JAIL_UID + self.worker if os.getuid() == 0 else os.getuid()

    def argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        options = ["--disable-userns"] if "--disable-userns" in _help_text(self.binary) else []
        return self._argv(command, fds, interpreter, options)

    def zygote_argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        # --disable-userns would leave the PID namespace to a user namespace above the zygote's.
        return self._argv(command, fds, interpreter, ["--cap-add", "CAP_SYS_ADMIN"])

    @property
    def has_namespaces(self) -> bool:
        """See Jail."""
        return True

    @property
    def counts_processes(self) -> bool:
        """See Jail."""
        return _kernel_version() >= FIRST_KERNEL_COUNTING_BY_NAMESPACE

    def readable_paths(self, interpreter: Interpreter) -> list[str]:
        """See Jail."""
        return []

    def _argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        options: list[str],
    ) -> list[str]:
        argv = [self.binary, "--unshare-all", "--unshare-user", "--as-pid-1", "--die-with-parent"]
        argv += ["--new-session", "--cap-drop", "ALL", *options, "--clearenv"]
        argv += ["--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--hostname", "jail"]
        for key, value in ENVIRONMENT.items():
            argv += ["--setenv", key, value]
        for outside, inside in interpreter.binds:
            if os.path.islink(outside) and outside == inside:
                argv += ["--symlink", os.readlink(outside), inside]
            else:
                argv += ["--ro-bind", outside, inside]
        # The root is a writable tmpfs until here: one program could leave files for the next.
        argv += ["--remount-ro", "/", "--chdir", "/"]
        return [*argv, "--", *command]

    def popen_options(self) -> dict[str, Any]:
        """See Jail."""
        if os.getuid() == 0:
            return {"user": self.outside_uid, "group": self.outside_uid, "extra_groups": []}
        return {}


@dataclass(frozen=True, slots=True)
class NoJail:
    """The command as it is, with resource limits alone.

    With ``landlock`` its zygote confines itself, by Landlock and a system call filter; without,
    programs can read this user's files and use the network.
    """

    worker: int = 0
    landlock: bool = False
    site: str = ""

    @property
    def name(self) -> str:
        """See Jail."""
        return "landlock" if self.landlock else "unsafe"

    @property
    def outside_uid(self) -> int:
        """Programs run as the user who runs the judge; under Landlock never as root."""
        if self.landlock and os.getuid() == 0:
            return FIRST_JAIL_UID + self.worker
        return os.getuid()

    def argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        return list(command)

    def zygote_argv(
        self, command: Sequence[str], fds: Sequence[int], interpreter: Interpreter
    ) -> list[str]:
        """See Jail."""
        return list(command)

    @property
    def has_namespaces(self) -> bool:
        """See Jail."""
        return False

    @property
    def counts_processes(self) -> bool:
        """See Jail."""
        return False

    def readable_paths(self, interpreter: Interpreter) -> list[str]:
        """The interpreter's own files; of the host's libraries nothing that holds secrets."""
        return [outside for outside, _ in interpreter.binds]

    def popen_options(self) -> dict[str, Any]:
        """See Jail."""
        options: dict[str, Any] = {"env": dict(ENVIRONMENT), "cwd": "/"}
        if self.landlock and os.getuid() == 0:
            ids = {"user": self.outside_uid, "group": self.outside_uid, "extra_groups": []}
            options |= ids
        return options


def limit_values(limits: Limits, jail: Jail) -> list[float]:
    """The limits in the order of ``wire.LIMIT_NAMES``, 0 for the processes if not countable."""
    values = {name: float(getattr(limits, name)) for name in wire.LIMIT_NAMES}
    if not jail.counts_processes:
        values["num_processes"] = 0.0
    return list(values.values())


def find_nsjail(worker: int = 0) -> NsJail:
    """NsJail with the binary on PATH.

    Raises:
        SandboxUnavailableError: there is none, or this is no Linux.
    """
    return NsJail(
        _binary("nsjail", "build it from its repository, github.com/google/nsjail"), worker
    )


def find_bubblewrap(worker: int = 0) -> Bubblewrap:
    """Bubblewrap with the binary on PATH.

    Raises:
        SandboxUnavailableError: there is none, or this is no Linux.
    """
    return Bubblewrap(_binary("bwrap", "install the package bubblewrap"), worker)


def find_landlock(worker: int = 0) -> NoJail:
    """No jail around the zygote, which confines itself instead.

    Raises:
        SandboxUnavailableError: this is no Linux. Whether the kernel can do it shows at the start.
    """
    if sys.platform != "linux":
        raise SandboxUnavailableError(
            f"landlock needs Linux and this is {sys.platform}: use the Dockerfile, or "
            'sandbox="unsafe" for programs you trust.'
        )
    return NoJail(worker, landlock=True)


def _binary(name: str, remedy: str) -> str:
    if sys.platform != "linux":
        raise SandboxUnavailableError(
            f"{name} needs Linux and this is {sys.platform}: use the Dockerfile, or "
            'sandbox="unsafe" for programs you trust.'
        )
    path = shutil.which(name)
    if path is None:
        raise SandboxUnavailableError(f"{name} is not on PATH: {remedy}.")
    return path


@cache
def _kernel_version() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


@cache
def _help_text(binary: str) -> str:
    return subprocess.run([binary, "--help"], capture_output=True, text=True, check=False).stdout
