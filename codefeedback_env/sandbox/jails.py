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
FIRST_JAIL_UID = 100_000  # as root, each worker's programs get a user id of their own above it
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
    "LD_BIND_NOW": "1",  # a symbol bound before the first fork is not looked up after each
}
MAX_PROCESSES = 256
FIRST_KERNEL_COUNTING_BY_NAMESPACE = (5, 14)  # before, RLIMIT_NPROC counted all of a user's
MAX_FILES = 256


class Jail(Protocol):
    """Builds the command line that runs a command confined."""

    @property
    def name(self) -> str:
        """What the sandboxes made of it are called after."""

    @property
    def outside_uid(self) -> int:
        """The user id under which the host sees the jail open files."""

    @property
    def site(self) -> str:
        """Where ``Interpreter.binds`` put packages, inside; "" for the host's own folder."""

    @property
    def has_namespaces(self) -> bool:
        """Whether a zygote in it can make PID namespaces."""

    def argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        *,
        for_zygote: bool = False,
    ) -> list[str]:
        """The command line.

        Args:
            command: what runs inside.
            fds: stay open inside under their numbers.
            interpreter: whose files can be read inside.
            for_zygote: the command may make PID namespaces for its children; it sees to it that
                nothing that runs programs can.
        """

    def popen_options(self) -> dict[str, Any]:
        """Further keyword arguments for ``subprocess.Popen``."""


@dataclass(frozen=True, slots=True)
class NsJail:
    """Google's nsjail: all namespaces, a read-only root, no /proc."""

    binary: str
    worker: int = 0
    name: str = "nsjail"
    site: str = SITE
    has_namespaces: bool = True

    @property
    def outside_uid(self) -> int:
        """Root maps to an unprivileged id of the worker's own, else files would be read as root."""
        return _unprivileged_uid(self.worker) if os.getuid() == 0 else os.getuid()

    def argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        *,
        for_zygote: bool = False,
    ) -> list[str]:
        """See Jail."""
        options = ["--cap", "CAP_SYS_ADMIN"] if for_zygote else []
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
        if counts_processes(self):
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
    has_namespaces: bool = True

    @property
    def outside_uid(self) -> int:
        """Started as root it is dropped to an unprivileged id of the worker's own first."""
        return _unprivileged_uid(self.worker) if os.getuid() == 0 else os.getuid()

    def argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        *,
        for_zygote: bool = False,
    ) -> list[str]:
        """See Jail."""
        options: list[str] = []
        if for_zygote:
            # --disable-userns would leave the PID namespace to a user namespace above the zygote's.
            options = ["--cap-add", "CAP_SYS_ADMIN"]
        elif "--disable-userns" in _help_text(self.binary):
            options = ["--disable-userns"]
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
    has_namespaces: bool = False

    @property
    def name(self) -> str:
        """See Jail."""
        return "landlock" if self.landlock else "unsafe"

    @property
    def outside_uid(self) -> int:
        """Programs run as the user who runs the judge; under Landlock never as root."""
        if self.landlock and os.getuid() == 0:
            return _unprivileged_uid(self.worker)
        return os.getuid()

    def argv(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        interpreter: Interpreter,
        *,
        for_zygote: bool = False,
    ) -> list[str]:
        """See Jail."""
        return list(command)

    def popen_options(self) -> dict[str, Any]:
        """See Jail."""
        options: dict[str, Any] = {"env": dict(ENVIRONMENT), "cwd": "/"}
        if self.landlock and os.getuid() == 0:
            ids = {"user": self.outside_uid, "group": self.outside_uid, "extra_groups": []}
            options |= ids
        return options


def counts_processes(jail: Jail) -> bool:
    """Whether a limit on processes counts those in the jail only, not the user's others."""
    if jail.outside_uid not in (os.getuid(), NOBODY):
        return True  # a user of its own
    return jail.has_namespaces and _kernel_version() >= FIRST_KERNEL_COUNTING_BY_NAMESPACE


def limit_values(limits: Limits, jail: Jail) -> list[float]:
    """The limits in the order of ``wire.LIMIT_NAMES``, 0 for the processes if not countable."""
    values = {name: float(getattr(limits, name)) for name in wire.LIMIT_NAMES}
    if not counts_processes(jail):
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
def _unprivileged_uid(worker: int) -> int:
    """A user id of the worker's own, or nobody's in a container that does not know so many."""
    uid = FIRST_JAIL_UID + worker
    with open("/proc/self/uid_map", encoding="ascii") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    return uid if any(first <= uid < first + count for first, _, count in ranges) else NOBODY


@cache
def _kernel_version() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


@cache
def _help_text(binary: str) -> str:
    return subprocess.run([binary, "--help"], capture_output=True, text=True, check=False).stdout
