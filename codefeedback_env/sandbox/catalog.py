"""The sandboxes there are, and which of them this machine can run."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.lookup import look_up
from codefeedback_env.sandbox.base import InputFile, Limits, Sandbox
from codefeedback_env.sandbox.interpreters import Interpreter, find_interpreter
from codefeedback_env.sandbox.jails import (
    Jail,
    NoJail,
    find_bubblewrap,
    find_landlock,
    find_nsjail,
)
from codefeedback_env.sandbox.per_test import PerTestSandbox
from codefeedback_env.sandbox.zygotes import ZygoteSandbox

AUTO = "auto"
HOW_TO_GET_A_JAIL = (
    "Install bubblewrap (Debian: apt-get install bubblewrap) or nsjail; in a container, allow "
    "user namespaces, or run the project's Dockerfile. sandbox='unsafe' runs programs without "
    "any confinement: only for programs you trust."
)
_PROBE_LIMITS = Limits(cpu_time_s=5, memory_mib=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSandbox:
    """A sandbox that has run a first program."""

    sandbox: Sandbox
    interpreter: Interpreter
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    find_jail: Callable[[int], Jail]
    sandbox: Callable[[Jail, Interpreter], Sandbox]
    in_auto: bool
    """Whether "auto" may take it; the order of SANDBOXES is its order of preference."""

    note: str = ""


SANDBOXES: dict[str, _Kind] = {
    "nsjail": _Kind(find_nsjail, ZygoteSandbox, in_auto=True),
    "bubblewrap": _Kind(find_bubblewrap, ZygoteSandbox, in_auto=True),
    "landlock": _Kind(
        find_landlock,
        ZygoteSandbox,
        in_auto=True,
        note="no namespaces: programs can tell which paths exist on this machine",
    ),
    "nsjail-per-test": _Kind(find_nsjail, PerTestSandbox, in_auto=False),
    "bubblewrap-per-test": _Kind(find_bubblewrap, PerTestSandbox, in_auto=False),
    "unsafe": _Kind(
        lambda worker: NoJail(),
        PerTestSandbox,
        in_auto=False,
        note="programs are not confined: use it only for programs you trust",
    ),
}


def open_sandbox(name: str, *, python: str | None = None, worker: int = 0) -> OpenSandbox:
    """The sandbox of this name, tried out on a first program.

    Args:
        name: a key of SANDBOXES, or "auto" for the first confining one that works here.
        python: interpreter of the programs; None chooses.
        worker: as root programs get the user id 100000 + this; a process id keeps workers apart.

    Raises:
        UnknownNameError: there is no such sandbox.
        SandboxUnavailableError: it does not work here; the message says why and what would help.
    """
    if name != AUTO:
        return _open(name, look_up("sandbox", name, SANDBOXES), python, worker)
    if sys.platform != "linux":
        raise SandboxUnavailableError(
            f"judging needs Linux and this is {sys.platform}: use the project's Dockerfile, or "
            "sandbox='unsafe' for programs you trust."
        )
    refused = []
    for candidate, kind in SANDBOXES.items():
        if kind.in_auto:
            try:
                return _open(candidate, kind, python, worker)
            except SandboxUnavailableError as error:
                refused.append(f"{candidate}: {error}")
    raise SandboxUnavailableError(
        "no confining sandbox works on this machine. " + " ".join(refused) + " " + HOW_TO_GET_A_JAIL
    )


def _open(name: str, kind: _Kind, python: str | None, worker: int) -> OpenSandbox:
    jail = kind.find_jail(worker)
    interpreter = find_interpreter(python, jail.outside_uid)
    sandbox = kind.sandbox(jail, interpreter)
    try:
        (result,) = sandbox.run(b"print(6 * 7)", [InputFile(b"")], _PROBE_LIMITS)
    except SandboxError as error:
        raise SandboxUnavailableError(
            f"{name} does not work here: {error} {_hint(str(error))}".strip()
        ) from error
    if result.stdout != b"42\n":
        raise SandboxUnavailableError(
            f"{name} runs programs wrongly: a first program printed {result.stdout!r} and "
            f"{result.stderr!r} instead of 42."
        )
    notes = tuple(note for note in (kind.note, interpreter.note) if note)
    return OpenSandbox(sandbox=sandbox, interpreter=interpreter, notes=notes)


def _hint(message: str) -> str:
    if "namespace" in message.lower() or "Operation not permitted" in message:
        return (
            "This machine seems to forbid user namespaces: see "
            "/proc/sys/kernel/unprivileged_userns_clone, "
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns and, in a container, its "
            "seccomp profile."
        )
    if os.getuid() == 0 and "Permission denied" in message:
        return "As root the jail runs under an unprivileged user id, which must reach the files."
    return ""
