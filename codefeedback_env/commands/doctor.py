"""``codefeedback doctor``: what this machine allows, and which sandbox it gets."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from codefeedback_env.commands.console import PlainConsole
from codefeedback_env.errors import ConfigError
from codefeedback_env.judge.self_test import self_test
from codefeedback_env.sandbox.base import InputFile, Limits, Sandbox
from codefeedback_env.sandbox.catalog import HOW_TO_GET_A_JAIL, SANDBOXES, open_sandbox

HELP = "what this machine allows, and which sandbox programs get"
DESCRIPTION = (
    "Try every sandbox out and say which works, which one 'auto' takes, how fast it is and what "
    "would make it stronger. Exit status 0 if some confining sandbox works, else 1."
)

UNCONFINED = "unsafe"
_NAMESPACES = "namespaces of its own, no network, only system files and the interpreter, read-only"
PROMISES = {
    "nsjail": _NAMESPACES,
    "bubblewrap": _NAMESPACES,
    "landlock": "no network, only system files and the interpreter, read-only; no namespaces",
    "nsjail-per-test": _NAMESPACES,
    "bubblewrap-per-test": _NAMESPACES,
    UNCONFINED: "nothing: programs can read your files, use the network and end your processes",
}

_USER_NAMESPACE_SETTINGS = {
    "/proc/sys/user/max_user_namespaces": "0 forbids them",
    "/proc/sys/kernel/unprivileged_userns_clone": "0 forbids them to other users than root",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1 forbids them without a profile",
}
_BINARIES = {"nsjail": "nsjail", "bubblewrap": "bwrap"}
_CONTAINER_MARKS = ("docker", "kubepods", "containerd", "lxc", "libpod")
_NUM_TIMED_RUNS = 5
_LIMITS = Limits(cpu_time_s=5, memory_mib=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the sandboxes find."""

    system: str
    kernel: str
    user: str
    cpus: int
    cpus_usable: int
    cpu_quota: float | None
    """CPUs' worth of time that the control group allows, None where it sets no limit."""

    python: str
    container: str | None
    """Why this looks like a container, None where it does not."""

    user_namespaces: dict[str, str | None]
    """Content of each setting in /proc/sys, None where there is no such file."""

    binaries: dict[str, str | None]
    """Path and version of each jail's program, None where it is not on PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxState:
    """How trying out one sandbox went."""

    name: str
    works: bool
    """It runs programs, and its self-test came out right."""

    opens: bool
    """It runs programs; enough for "auto" to take it."""

    in_auto: bool
    promise: str
    problem: str | None = None
    """Why it does not work."""

    filters_system_calls: bool | None = None
    """None where it does not open."""

    interpreter: str | None = None
    python_version: str | None = None
    numpy_version: str | None = None
    notes: tuple[str, ...] = ()
    milliseconds_per_test: float | None = None
    """Median of a few runs of a trivial program."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    parser.add_argument("--python", metavar="PATH", help="interpreter of the programs")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 0 if some confining sandbox works, else 1."""
    if arguments.python is not None and not os.path.exists(arguments.python):
        raise ConfigError(
            f"--python {arguments.python} does not exist; give an interpreter's path."
        )
    machine = examine_machine()
    states = [try_sandbox(name, arguments.python) for name in SANDBOXES]
    chosen = next((state for state in states if state.in_auto and state.opens), None)
    confined = any(state.works and state.name != UNCONFINED for state in states)
    why, advice = _why_chosen(chosen, states), _advice(machine, states)
    if arguments.json:
        report = {
            "machine": asdict(machine),
            "sandboxes": [asdict(state) for state in states],
            "auto": None if chosen is None else chosen.name,
            "why": why,
            "advice": advice,
        }
        print(json.dumps(report, indent=2))
    else:
        _print_report(machine, states, why, advice)
    return 0 if confined else 1


def examine_machine() -> Machine:
    """Look at everything a sandbox may depend on."""
    affinity = getattr(os, "sched_getaffinity", None)
    num_cpus = os.cpu_count() or 1
    return Machine(
        system=_system(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        user="root" if hasattr(os, "getuid") and os.getuid() == 0 else "not root",
        cpus=num_cpus,
        cpus_usable=len(affinity(0)) if affinity else num_cpus,
        cpu_quota=_cpu_quota(),
        python=f"{platform.python_version()} at {sys.executable}",
        container=_container(),
        user_namespaces={path: _content(path) for path in _USER_NAMESPACE_SETTINGS},
        binaries={name: _binary(file) for name, file in _BINARIES.items()},
    )


def try_sandbox(name: str, python: str | None) -> SandboxState:
    """Open a sandbox, test it, and measure it."""
    in_auto = SANDBOXES[name].in_auto
    promise = PROMISES.get(name, "see docs/sandbox.md")
    try:
        opened = open_sandbox(name, python=python)
    except Exception as error:  # whatever is broken here, the other sandboxes are still of interest
        return SandboxState(
            name=name,
            works=False,
            opens=False,
            in_auto=in_auto,
            promise=promise,
            problem=_reason(error),
        )
    problem: str | None = None
    milliseconds: float | None = None
    try:
        self_test(opened.sandbox)
        milliseconds = _milliseconds_per_test(opened.sandbox)
    except Exception as error:  # as above
        problem = _reason(error)
    finally:
        opened.sandbox.close()
    return SandboxState(
        name=name,
        works=problem is None,
        opens=True,
        in_auto=in_auto,
        promise=promise,
        problem=problem,
        filters_system_calls=opened.sandbox.filters_system_calls,
        interpreter=opened.interpreter.path,
        python_version=opened.interpreter.version,
        numpy_version=opened.interpreter.numpy_version,
        notes=opened.notes,
        milliseconds_per_test=milliseconds,
    )


def _milliseconds_per_test(sandbox: Sandbox) -> float:
    times_ms = []
    for _ in range(_NUM_TIMED_RUNS):
        start = time.perf_counter()
        for _ in sandbox.run(b"print(1)", [InputFile(b"")], _LIMITS):
            pass
        times_ms.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times_ms), 1)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _why_chosen(chosen: SandboxState | None, states: list[SandboxState]) -> str:
    if chosen is None:
        return "'auto' finds no confining sandbox that works here, so the judge refuses to start."
    before = [s.name for s in states[: states.index(chosen)] if s.in_auto]
    reason = (
        f"the first in the order of preference that works; before it comes {', '.join(before)}."
        if before
        else "the first in the order of preference, and it works."
    )
    if not chosen.works:
        reason = "but its self-test fails, so the judge refuses to work; choose another by name."
    return f"'auto' takes {chosen.name}: {reason}"


def _advice(machine: Machine, states: list[SandboxState]) -> list[str]:
    """How to get a stronger jail than there is."""
    advice = []
    if sys.platform != "linux":
        return ["Judging needs Linux: use the project's Dockerfile."]
    if not any(state.works and state.name != UNCONFINED for state in states):
        advice.append(HOW_TO_GET_A_JAIL)
    elif machine.binaries["nsjail"] is None:
        advice.append(
            "nsjail is what 'auto' prefers: build it from github.com/google/nsjail and put it on "
            "PATH."
        )
    if machine.user_namespaces["/proc/sys/user/max_user_namespaces"] == "0":
        advice.append("sysctl user.max_user_namespaces=10000 allows user namespaces.")
    if machine.user_namespaces["/proc/sys/kernel/unprivileged_userns_clone"] == "0":
        advice.append("sysctl kernel.unprivileged_userns_clone=1 allows user namespaces.")
    if machine.user_namespaces["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] == "1":
        advice.append(
            "AppArmor restricts user namespaces: give the jail's program a profile that allows "
            "`userns`, or set sysctl kernel.apparmor_restrict_unprivileged_userns=0."
        )
    if any(state.works for state in states):
        advice.append(
            "For programs that may mean harm, run all of this in a virtual machine of its own: a "
            "jail shares the kernel with its host."
        )
    return advice


def _print_report(
    machine: Machine, states: list[SandboxState], why: str, advice: list[str]
) -> None:
    console = PlainConsole(soft_wrap=True)
    _print_pairs(console, _facts(machine), indent="")
    for state in states:
        console.print()
        word, style = ("works", "green") if state.works else ("does not work", "red")
        console.print(f"{state.name}: {word}", style=style)
        _print_pairs(console, _details(state), indent="  ")
    console.print()
    console.print(why, style="bold")
    for line in advice:
        console.print(f"- {line}")


def _print_pairs(console: PlainConsole, pairs: list[tuple[str, str]], indent: str) -> None:
    width = max(len(key) for key, _ in pairs)
    for key, value in pairs:
        first_line, *more = value.splitlines() or [""]
        console.print(f"{indent}{key:{width}}  {first_line}")
        for line in more:
            console.print(f"{indent}{'':{width}}  {line}")


def _facts(machine: Machine) -> list[tuple[str, str]]:
    quota = "" if machine.cpu_quota is None else f", control group allows {machine.cpu_quota:g}"
    return [
        ("system", machine.system),
        ("kernel", f"{machine.kernel}, {machine.user}"),
        ("CPUs", f"{machine.cpus}, {machine.cpus_usable} usable{quota}"),
        ("container", machine.container or "no sign of one"),
        ("Python", machine.python),
        *((name, found or "not on PATH") for name, found in machine.binaries.items()),
        *(
            (path.removeprefix("/proc/sys/").replace("/", "."), _setting(path, content))
            for path, content in machine.user_namespaces.items()
        ),
    ]


def _setting(path: str, content: str | None) -> str:
    if content is None:
        return "not there: no such restriction"
    return f"{content} ({_USER_NAMESPACE_SETTINGS[path]})"


def _details(state: SandboxState) -> list[tuple[str, str]]:
    details: list[tuple[str, str]] = []
    if state.problem is not None:
        details.append(("why", state.problem))
    # One that does not open here cannot be asked; all that confine filter.
    filters = state.filters_system_calls
    is_filtered = state.name != UNCONFINED if filters is None else filters
    filtered = "system calls filtered" if is_filtered else "system calls not filtered"
    details.append(("promises", f"{state.promise}; {filtered}"))
    if state.interpreter is not None:
        numpy = "no numpy" if state.numpy_version is None else f"numpy {state.numpy_version}"
        details.append(
            ("programs", f"Python {state.python_version} at {state.interpreter}, {numpy}")
        )
    details += [("note", note) for note in state.notes]
    if state.milliseconds_per_test is not None:
        details.append(
            ("speed", f"{state.milliseconds_per_test:g} ms for one test of a trivial program")
        )
    return details


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.platform())
    except OSError:
        return platform.platform()


def _container() -> str | None:
    for path in ("/.dockerenv", "/run/.containerenv", "/run/systemd/container"):
        if os.path.exists(path):
            return f"yes, {path} is there"
    for variable in ("container", "KUBERNETES_SERVICE_HOST"):
        if os.environ.get(variable):
            return f"yes, the variable {variable} is set"
    groups = _content("/proc/1/cgroup") or ""
    mark = next((mark for mark in _CONTAINER_MARKS if mark in groups), None)
    return None if mark is None else f"yes, /proc/1/cgroup speaks of {mark}"


def _cpu_quota() -> float | None:
    quota, _, period = (_content("/sys/fs/cgroup/cpu.max") or "max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _content(path: str) -> str | None:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _binary(file: str) -> str | None:
    path = shutil.which(file)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{path}, which does not run: {error}"
    # nsjail has no --version in many releases and answers with its whole help.
    lines = done.stdout.strip().splitlines()
    return f"{path}, {lines[0]}" if done.returncode == 0 and len(lines) == 1 else path
