import ctypes
import errno
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.sandbox.zygote import landlock

CHECKOUT = str(Path(landlock.__file__).parents[3])
PREAMBLE = """
import ctypes, os, signal, socket, subprocess, sys, threading, types
for name in ("codefeedback_env", "codefeedback_env.sandbox", "codefeedback_env.sandbox.zygote"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [os.path.join(sys.argv[1], *name.split("."))]
from codefeedback_env.sandbox.zygote import landlock
os.chdir(sys.argv[2])
import encodings.idna
"""


@pytest.fixture(scope="module")
def version() -> int:
    if sys.platform != "linux":
        pytest.skip("Landlock is Linux's")
    try:
        return landlock.abi_version()
    except landlock.LandlockUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder that may be read, a single file that may be, and what must stay out of reach."""
    for name in ("allowed", "outside"):
        folder = tmp_path / name
        (folder / "folder").mkdir(parents=True)
        (folder / "file").write_text(name)
        shutil.copy("/bin/true", folder / "true")
    (tmp_path / "single").write_text("single")
    (tmp_path / "allowed" / "escape").symlink_to(tmp_path / "outside" / "file")
    return tmp_path


def run(tree: Path, program: str, before: str = "") -> subprocess.CompletedProcess[str]:
    system = ["/usr", "/lib", "/lib64", sys.base_prefix]
    paths = [*filter(os.path.exists, system), str(tree / "allowed"), str(tree / "single")]
    source = f"{PREAMBLE}\n{before}\nversion = landlock.restrict_to({paths!r})\n{program}"
    command = [sys.executable, "-I", "-S", "-B", "-c", source, CHECKOUT, str(tree)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def contents(tree: Path) -> dict[str, Any]:
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(tree.rglob("*"))
    }


REFUSED = {  # program -> first version of Landlock that refuses it
    "open('outside/file')": 1,
    "open('allowed/escape')": 1,
    "open('allowed/../outside/file')": 1,
    "open('/etc/passwd')": 1,
    "open('/proc/self/mem')": 1,
    "open('/dev/null', 'w')": 1,
    "os.listdir('outside')": 1,
    "os.listdir('.')": 1,
    "subprocess.run(['outside/true'])": 1,
    "open('allowed/file', 'w')": 1,
    "open('allowed/file', 'a')": 1,
    "open('allowed/file', 'r+')": 1,
    "open('single', 'r+')": 1,
    "open('allowed/new', 'w')": 1,
    "open('outside/new', 'w')": 1,
    "os.open('allowed', os.O_TMPFILE | os.O_WRONLY)": 1,
    "os.truncate('allowed/file', 0)": 3,
    "os.mkdir('allowed/new')": 1,
    "os.mkfifo('allowed/new')": 1,
    "os.mknod('allowed/new')": 1,
    "os.symlink('file', 'allowed/new')": 1,
    "os.link('allowed/file', 'allowed/new')": 1,
    "os.rename('allowed/file', 'allowed/new')": 1,
    "os.rename('outside/file', 'allowed/new')": 1,
    "os.unlink('allowed/file')": 1,
    "os.unlink('outside/file')": 1,
    "os.rmdir('allowed/folder')": 1,
    "socket.socket(socket.AF_UNIX).bind('allowed/new')": 1,
    "socket.socket().bind(('127.0.0.1', 0))": 4,
    "socket.socket().connect(('127.0.0.1', 9))": 4,
    "os.kill(os.getppid(), 0)": 6,
    "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)": 6,
}


@pytest.mark.sandbox
@pytest.mark.parametrize("program", REFUSED)
def test_refused(tree: Path, version: int, program: str) -> None:
    if version < REFUSED[program]:
        pytest.skip(f"Landlock {version} does not cover this")
    before = contents(tree)
    done = run(tree, program)
    assert "PermissionError" in done.stderr, (done.returncode, done.stderr)
    assert contents(tree) == before


@pytest.mark.sandbox
def test_a_move_to_another_folder_is_refused(tree: Path, version: int) -> None:
    before = contents(tree)
    done = run(tree, "os.rename('allowed/file', 'allowed/folder/file')")
    assert done.returncode == 1
    assert contents(tree) == before


@pytest.fixture
def abstract_socket() -> Iterator[str]:
    name = f"\0codefeedback-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        yield name


@pytest.mark.sandbox
def test_an_abstract_socket_of_others_is_refused(
    tree: Path, version: int, abstract_socket: str
) -> None:
    if version < 6:
        pytest.skip(f"Landlock {version} does not cover this")
    done = run(tree, f"socket.socket(socket.AF_UNIX).connect({abstract_socket!r})")
    assert "PermissionError" in done.stderr


ALLOWED = {
    "reading": "assert open('allowed/file').read() == 'allowed'",
    "a single file": "assert open('single').read() == 'single'",
    "listing": "assert len(os.listdir('allowed')) == 4 and os.listdir('allowed/folder') == []",
    "running": "subprocess.run(['allowed/true'], check=True, stdin=0, stdout=1)",
    "importing": "import decimal, fractions, json, sqlite3",
    "pipes": "r, w = os.pipe(); os.write(w, b'x'); assert os.read(r, 1) == b'x'",
    "memory files": "os.write(os.memfd_create('x'), b'x')",
    "socket pairs": "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'",
    "signals to a child": """
child = os.fork()
if child == 0: signal.pause()
os.kill(child, signal.SIGKILL)
assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL
""",
    "stat, which Landlock cannot hide": "assert os.stat('outside/file').st_size == 7",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("title", ALLOWED)
def test_allowed(tree: Path, version: int, title: str) -> None:
    done = run(tree, ALLOWED[title])
    assert done.returncode == 0, done.stderr


@pytest.mark.sandbox
def test_files_open_before_stay_usable(tree: Path, version: int) -> None:
    done = run(tree, "print(file.read())", before="file = open('outside/file')")
    assert done.stdout == "outside\n"


@pytest.mark.sandbox
def test_children_and_later_threads_are_confined_too(tree: Path, version: int) -> None:
    program = """
def read():
    try:
        open('outside/file')
    except PermissionError:
        print('refused', flush=True)
thread = threading.Thread(target=read); thread.start(); thread.join()
if os.fork() == 0:
    read(); os._exit(0)
os.wait()
"""
    assert run(tree, program).stdout == "refused\nrefused\n"


@pytest.mark.sandbox
def test_rules_can_be_narrowed_and_never_widened(tree: Path, version: int) -> None:
    program = """
landlock.restrict_to(['single', 'outside'])
open('single').close()
for path in ('allowed/file', 'outside/file'):
    try:
        open(path)
    except PermissionError:
        print('refused')
"""
    before = "single = os.open('single', os.O_PATH)"
    assert run(tree, program, before).stdout == "refused\nrefused\n"


@pytest.mark.sandbox
def test_the_version_is_returned_and_no_descriptor_stays_open(tree: Path, version: int) -> None:
    before = "first = os.dup(0); os.close(first)"
    done = run(tree, "print(version, os.dup(0) == first)", before)
    assert done.stdout == f"{version} True\n"


@pytest.mark.sandbox
def test_a_missing_path_raises_and_confines_nothing(tree: Path, version: int) -> None:
    before = """
try:
    landlock.restrict_to(['allowed', 'missing'])
except FileNotFoundError as error:
    print(error.filename, open('outside/file').read())
"""
    assert run(tree, "", before).stdout == "missing outside\n"


class FakeKernel:
    """Answers Landlock's calls and keeps the rules it was given."""

    def __init__(self, version: int, scopes: int = 0b11) -> None:
        self.version = version
        self.scopes = scopes
        self.rules: list[tuple[int, ...]] = []

    def __call__(self, _: ctypes.c_long, rules: bytes | None, size: Any, flags: Any) -> int:
        if rules is None:
            assert flags.value == 1
            return self.version
        assert len(rules) == size.value
        words = struct.unpack(f"={len(rules) // 8}Q", rules)
        self.rules.append(words)
        if words[2:] and words[2] & ~self.scopes:
            ctypes.set_errno(errno.EINVAL)
            return -1
        return 77


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (1, (0x1FFF,)),  # up to MAKE_SYM = 1 << 12
        (2, (0x3FFF,)),  # REFER = 1 << 13
        (3, (0x7FFF,)),  # TRUNCATE = 1 << 14
        (4, (0x7FFF, 3)),  # BIND_TCP and CONNECT_TCP
        (5, (0xFFFF, 3)),  # IOCTL_DEV = 1 << 15
        (6, (0xFFFF, 3, 3)),  # ABSTRACT_UNIX_SOCKET and SIGNAL
        (7, (0xFFFF, 3, 3)),
        (9, (0xFFFF, 3, 3)),  # newer than we know
    ],
)
def test_every_version_is_asked_for_all_it_knows(
    monkeypatch: pytest.MonkeyPatch, version: int, words: tuple[int, ...]
) -> None:
    kernel = FakeKernel(version)
    monkeypatch.setattr(landlock, "_syscall", kernel)
    assert landlock._create_ruleset(landlock.abi_version()) == 77
    assert kernel.rules == [words]


def test_a_kernel_without_the_signal_scope_still_gets_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = FakeKernel(6, scopes=0b01)  # RHEL 9's 5.14
    monkeypatch.setattr(landlock, "_syscall", kernel)
    landlock._create_ruleset(6)
    assert kernel.rules[-1] == (0xFFFF, 3, 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.ENOSYS, "built without it"),
        (errno.EOPNOTSUPP, "not enabled at boot"),
        (errno.EPERM, "Operation not permitted"),
    ],
)
def test_a_kernel_without_landlock_says_why(
    monkeypatch: pytest.MonkeyPatch, error: int, reason: str
) -> None:
    def refuse(*_: Any) -> int:
        ctypes.set_errno(error)
        return -1

    monkeypatch.setattr(landlock, "_syscall", refuse)
    with pytest.raises(landlock.LandlockUnavailableError, match=reason):
        landlock.restrict_to([])
