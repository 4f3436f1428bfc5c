"""What the tests that every sandbox must pass have in common.

A plugin that they name, not a conftest.py: a second module of that name would take the place of
``tests/conftest.py`` in tests that import it. They import it before pytest knows it as a plugin,
too late for its assertions to be rewritten (PYTEST_DONT_REWRITE), so these say what is wrong.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from codefeedback_env.checkers import Comparison, Judging
from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.judge.decide import decide
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.sandbox.base import InputFile, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.catalog import SANDBOXES, OpenSandbox, open_sandbox
from codefeedback_env.sandbox.jails import FIRST_JAIL_UID
from codefeedback_env.verdicts import Verdict

CONFINING = tuple(name for name in SANDBOXES if name != "unsafe")
LIMITS = Limits(cpu_time_s=0.5, memory_mib=128, output_bytes=1 << 20, compile_time_s=2)
SECRET = "SECRET-MARKER-c40b"
"""In the judge's environment while a sandbox is open; no program may ever see it."""

FILE_PREFIX = "codefeedback-attack-"
"""Names of all files that attacks try to leave behind begin so."""

_HONEST = b"print(sum(map(int, input().split())))"
_PUBLIC_FOLDERS = ("/", "/tmp", "/var/tmp", "/dev/shm", "/usr/lib/python3", ".")
_SYSTEM_V_IPC = ("shm", "sem", "msg")


@pytest.fixture(scope="session", params=SANDBOXES)
def opened(request: pytest.FixtureRequest) -> Iterator[OpenSandbox]:
    """Every sandbox in turn, the unsafe one too, with its interpreter."""
    with _open(request.param) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(opened: OpenSandbox) -> Sandbox:
    """Every sandbox in turn, the unsafe one too."""
    return opened.sandbox


@pytest.fixture(scope="session", params=CONFINING)
def opened_jail(request: pytest.FixtureRequest) -> Iterator[OpenSandbox]:
    """Every sandbox that confines programs in turn."""
    with _open(request.param) as sandbox:
        yield sandbox


@pytest.fixture
def jail(opened_jail: OpenSandbox) -> Sandbox:
    """Every sandbox that confines programs in turn."""
    return opened_jail.sandbox


@contextmanager
def _open(name: str) -> Iterator[OpenSandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEFEEDBACK_TEST_API_KEY", SECRET)
        try:
            opened = open_sandbox(name, worker=_worker_number())
        except SandboxUnavailableError as error:
            pytest.skip(str(error))
        yield opened
        opened.sandbox.close()


def _worker_number() -> int:
    """Gives the jails of this test process, as root, a user id of their own."""
    return os.getpid()


# --- Running and judging -------------------------------------------------------------------------


def run_all(
    sandbox: Sandbox, source: str | bytes, inputs: Sequence[bytes], limits: Limits = LIMITS
) -> list[RunResult]:
    """One program on several inputs. A sandbox that failed starts again with its next program."""
    files = [InputFile(data) for data in inputs]
    try:
        return list(sandbox.run(_encode(source), files, limits))
    except SandboxError:
        sandbox.close()
        raise
    finally:
        for file in files:
            file.close()


def run_program(
    sandbox: Sandbox, source: str | bytes, stdin: bytes = b"", limits: Limits = LIMITS
) -> RunResult:
    """One program on one input."""
    (run,) = run_all(sandbox, source, [stdin], limits)
    return run


def judge_run(
    run: RunResult, expected: bytes, stdin: bytes = b"", checker: Checker | None = None
) -> Verdict:
    """The verdict where an output with equal tokens is right, or as ``checker`` says."""
    return decide(run, stdin, expected, checker or Comparison(), Judging.STRICT)


def judge_program(
    sandbox: Sandbox,
    source: str | bytes,
    stdin: bytes,
    expected: bytes,
    limits: Limits = LIMITS,
    checker: Checker | None = None,
) -> tuple[Verdict, RunResult]:
    """One program on one test, and how the run went."""
    run = run_program(sandbox, source, stdin, limits)
    return judge_run(run, expected, stdin, checker), run


def about(run: RunResult) -> str:
    """What a failed assertion should say about a run."""
    return (
        f"limit {run.limit_hit}, exit code {run.exit_code}, signal {run.signal}, "
        f"{run.cpu_time_s:.3f} CPU s, {run.wall_time_s:.3f} s, {run.peak_memory_mib:.0f} MiB, "
        f"stdout {run.stdout[:300]!r}, stderr {run.stderr[-1000:]!r}"
    )


def _encode(source: str | bytes) -> bytes:
    return source.encode() if isinstance(source, str) else source


# --- What a program leaves behind ----------------------------------------------------------------


@dataclass(frozen=True)
class Traces:
    """What of the sandboxes' there is on this machine, and what this process holds."""

    processes: frozenset[int]
    descriptors: frozenset[str]
    files: frozenset[str]
    system_v_ipc: frozenset[str]

    @staticmethod
    def now() -> "Traces":
        return Traces(
            processes=jail_processes(),
            descriptors=frozenset(os.listdir("/proc/self/fd")),
            files=_files(),
            system_v_ipc=_system_v_ipc(),
        )


@contextmanager
def leaving_nothing_behind(sandbox: Sandbox) -> Iterator[None]:
    """Check that what happened inside did no harm to the next program and left nothing.

    Not covered: a process that got out of its jail while the tests do not run as root, unless it is
    still a descendant of this process.
    """
    before = Traces.now()
    yield
    verdict, run = judge_program(sandbox, _HONEST, b"20 22\n", b"42\n")
    assert verdict is Verdict.ACCEPTED, f"an honest program fails now: {about(run)}"
    assert wait_until(lambda: jail_processes() <= before.processes), [
        _describe(pid) for pid in jail_processes() - before.processes
    ]
    after = Traces.now()
    if after.descriptors != before.descriptors:  # perhaps other tests' garbage; nothing else closes
        gc.collect()
        assert Traces.now().descriptors <= before.descriptors, (
            "descriptors that were not there before"
        )
    for kind in ("files", "system_v_ipc"):
        new = getattr(after, kind) ^ getattr(before, kind)
        assert not new, f"{kind} that were not there before, or are gone: {sorted(new)}"


def jail_processes() -> frozenset[int]:
    """Descendants of this process, and as root all that have its jails' user id.

    A dead one counts as long as this process has not waited for it; the others are init's.
    """
    jail_uid = FIRST_JAIL_UID + _worker_number() if os.getuid() == 0 else None
    children: dict[int, list[int]] = {}
    found = set()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        status = _status(pid)
        if status is None or (status.is_dead and status.parent != os.getpid()):
            continue
        children.setdefault(status.parent, []).append(pid)
        if status.uid == jail_uid:
            found.add(pid)
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return frozenset(found)


def parent_of(pid: int) -> int:
    """The process that started ``pid``, 0 where either is gone."""
    status = _status(pid)
    return status.parent if status else 0


def children_of(pid: int) -> list[int]:
    """The processes that ``pid`` has started, oldest first."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@dataclass(frozen=True)
class _Status:
    is_dead: bool
    parent: int
    uid: int


def _status(pid: int) -> _Status | None:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return _Status(
        is_dead=fields["State"].split()[0] in "ZX",
        parent=int(fields["PPid"]),
        uid=int(fields["Uid"].split()[0]),
    )


def _describe(pid: int) -> str:
    try:
        return f"{pid}: " + Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except OSError:
        return f"{pid}: gone now"


def _files() -> frozenset[str]:
    """Files that attacks name or that, as root, jails own: others use these folders as well."""
    found = set()
    for folder in filter(os.path.isdir, _PUBLIC_FOLDERS):
        for entry in os.scandir(folder):
            try:
                owner = entry.stat(follow_symlinks=False).st_uid
            except FileNotFoundError:
                continue
            is_jails = os.getuid() == 0 and owner == FIRST_JAIL_UID + _worker_number()
            if is_jails or entry.name.startswith(FILE_PREFIX) or entry.name == "core":
                found.add(os.path.join(folder, entry.name))
    return frozenset(found)


def _system_v_ipc() -> frozenset[str]:
    """Keys of the jails' shared memory, semaphores and queues in this machine's IPC namespace."""
    owner = str(FIRST_JAIL_UID + _worker_number() if os.getuid() == 0 else os.getuid())
    found = set()
    for kind in _SYSTEM_V_IPC:
        table = Path(f"/proc/sysvipc/{kind}")
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        found.update(f"{kind} {line.split()[1]}" for line in lines if owner in line.split())
    return frozenset(found)
