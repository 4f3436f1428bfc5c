import itertools
import json
import os
import platform
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from codefeedback_env.sandbox.zygote import seccomp, system_calls
from codefeedback_env.sandbox.zygote.seccomp import ALLOW, ENOSYS, EPERM, KILL

FILTERS = {
    "leader": seccomp.leader_filter,
    "program": seccomp.program_filter,
    "one-shot": seccomp.one_shot_filter,
}
MACHINES = ("x86_64", "aarch64")
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
GONE_FROM_AARCH64 = {
    "open",
    "stat",
    "lstat",
    "access",
    "readlink",
    "dup2",
    "pipe",
    "select",
    "poll",
}
GONE_FROM_AARCH64 |= {"epoll_create", "epoll_wait", "eventfd", "pause", "alarm", "time", "getpgrp"}
GONE_FROM_AARCH64 |= {"iopl", "ioperm", "modify_ldt"}
OWN_PID = seccomp._OWN_PID

# --- The tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed (package linux-libc-dev)")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    known = {name: int(number) for name, number in re.findall(pattern, header.read_text())}
    known.setdefault("newfstatat", known.get("fstatat", -1))
    newest = max(number for number in known.values() if number < 1024)
    numbers = system_calls.MACHINES[machine].numbers
    assert {name: number for name, number in numbers.items() if number <= newest} == {
        name: known.get(name) for name, number in numbers.items() if number <= newest
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_every_rule_has_a_number_and_every_number_a_rule(machine: str) -> None:
    known = system_calls.MACHINES[machine]
    ruled = set(seccomp._leader_rules(known))
    missing = GONE_FROM_AARCH64 if machine == "aarch64" else set()
    assert ruled - set(known.numbers) == missing
    assert set(known.numbers) - ruled == set()
    assert set(seccomp._program_rules()) <= ruled


def test_an_unknown_processor_is_refused_by_name() -> None:
    with pytest.raises(seccomp.SeccompUnavailableError, match=r"'riscv64'.*x86_64, aarch64"):
        seccomp.one_shot_filter("riscv64")


@pytest.mark.parametrize("machine", MACHINES)
def test_filters_are_short(machine: str) -> None:
    counts = {name: len(build(machine)) // 8 for name, build in FILTERS.items()}
    print(f"{machine}: {counts} instructions")
    assert counts["program"] <= 30  # installed once per test
    assert max(counts.values()) <= 256


def test_one_comparison_is_left_for_the_installers_own_process_id() -> None:
    def num_places(instructions: bytes) -> int:
        return [k for _, k in struct.iter_unpack("=II", instructions)].count(OWN_PID)

    places = {name: num_places(build("x86_64")) for name, build in FILTERS.items()}
    assert places == {"leader": 0, "program": 1, "one-shot": 1}


# --- The instructions, interpreted ---------------------------------------------------------------


def call_data(machine: str, number: int, *arguments: int) -> bytes:
    """A struct seccomp_data."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return struct.pack("=IIQ6Q", number, system_calls.MACHINES[machine].audit_arch, 0, *padded)


def interpret(instructions: bytes, data: bytes) -> int:
    """What a classic BPF machine returns."""
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, k = struct.unpack_from("=HBBI", instructions, 8 * at)
        at += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            (accumulator,) = struct.unpack_from("=I", data, k)
        elif code == 0x05:  # BPF_JMP | BPF_JA
            at += k
        elif code == 0x15:  # BPF_JEQ
            at += if_true if accumulator == k else if_false
        elif code == 0x35:  # BPF_JGE
            at += if_true if accumulator >= k else if_false
        elif code == 0x45:  # BPF_JSET
            at += if_true if accumulator & k else if_false
        elif code == 0x06:  # BPF_RET
            return int(k)
        else:
            raise AssertionError(f"unexpected instruction {code:#x}")


def evaluate(decision: seccomp.Decision, data: bytes) -> int:
    """A rule taken at its word."""
    while isinstance(decision, seccomp.Comparison):
        (word,) = struct.unpack_from("=I", data, decision.word)
        holds = {
            0x15: word == decision.value,
            0x35: word >= decision.value,
            0x45: bool(word & decision.value),
        }[decision.comparison]
        decision = decision.then if holds else decision.otherwise
    return decision


def expected(policy: str, machine: str, number: int, data: bytes) -> int:
    """The action by going through the names one by one, without any search or layout."""
    known = system_calls.MACHINES[machine]
    names = [name for name, its_number in known.numbers.items() if its_number == number]
    if not names:
        unnamed = ENOSYS if number > max(known.numbers.values()) else EPERM
        return ALLOW if policy == "program" else unnamed
    (name,) = names
    leader = evaluate(seccomp._leader_rules(known)[name], data)
    program = evaluate(seccomp._program_rules().get(name, ALLOW), data)
    if policy == "one-shot":
        return program if leader == ALLOW else leader
    return leader if policy == "leader" else program


def interesting_arguments(machine: str) -> Iterator[tuple[int, ...]]:
    yield ()
    values = {0, 1, 2, 3, 4, 5, 8, 15, 38, 1030, 1031, 1032, 1033, 0x2000, 0x5401, 0x5412, 0x80801}
    values |= {0x003D0F00, 0x01200011, 0x00010000, 0x10000000, 0x400000, 0xFFFFFFFF, OWN_PID}
    values |= {1 << 32, (1 << 32) + 1, system_calls.MACHINES[machine].o_direct}
    for value in sorted(values):
        yield (value,) * 6
        for position, before in itertools.product(range(4), (0, 1, 4)):
            yield (before,) * position + (value,)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("policy", FILTERS)
def test_the_search_decides_every_number_as_its_rule_says(policy: str, machine: str) -> None:
    instructions = FILTERS[policy](machine)
    known = system_calls.MACHINES[machine]
    rules = {**seccomp._leader_rules(known), **seccomp._program_rules()}
    choosy = {
        known.numbers[name]
        for name, rule in rules.items()
        if not isinstance(rule, int) and name in known.numbers
    }
    for number in range(501):
        samples = interesting_arguments(machine) if number in choosy else [(), (1 << 32,) * 6]
        for arguments in samples:
            data = call_data(machine, number, *arguments)
            decided = interpret(instructions, data)
            assert decided == expected(policy, machine, number, data), (number, arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("policy", ["leader", "one-shot"])
def test_calls_of_another_processor_kill(policy: str, machine: str) -> None:
    instructions = FILTERS[policy](machine)
    others = [
        0x40000003,
        0x40000028,
        0x80000016,
        *(system_calls.MACHINES[m].audit_arch for m in MACHINES),
    ]
    for audit_arch, number in itertools.product(others, range(501)):
        if audit_arch != system_calls.MACHINES[machine].audit_arch:
            data = struct.pack("=IIQ6Q", number, audit_arch, 0, *(0,) * 6)
            assert interpret(instructions, data) == KILL


@pytest.mark.parametrize("policy", ["leader", "one-shot"])
@pytest.mark.parametrize("number", [1 << 30, (1 << 30) + 1, (1 << 30) + 520, (1 << 32) - 1])
def test_x32_numbers_kill(policy: str, number: int) -> None:
    assert interpret(FILTERS[policy]("x86_64"), call_data("x86_64", number)) == KILL


THREAD = 0x003D0F00  # what glibc passes to start a thread
FORK = 0x01200011
DECISIONS = [  # machine, name, arguments, leader, program on top of it
    ("x86_64", "read", (), ALLOW, ALLOW),
    ("x86_64", "ptrace", (), KILL, KILL),
    ("aarch64", "ptrace", (), KILL, KILL),
    ("aarch64", "openat", (-100, 0, os.O_RDONLY | os.O_CLOEXEC), ALLOW, ALLOW),
    ("aarch64", "openat", (-100, 0, os.O_WRONLY), EPERM, EPERM),
    ("x86_64", "open", (0, os.O_RDWR), EPERM, EPERM),
    ("x86_64", "openat", (-100, 0, os.O_RDONLY | os.O_CREAT), EPERM, EPERM),
    ("x86_64", "openat", (-100, 0, os.O_RDONLY | os.O_DIRECTORY), ALLOW, ALLOW),
    ("x86_64", "clone", (THREAD,), ALLOW, ALLOW),
    ("aarch64", "clone", (THREAD,), ALLOW, ALLOW),
    ("x86_64", "clone", (FORK,), ALLOW, EPERM),
    ("aarch64", "clone", (FORK,), ALLOW, EPERM),
    ("x86_64", "clone", (THREAD | 0x10000000,), EPERM, EPERM),  # CLONE_NEWUSER
    ("x86_64", "clone", (THREAD | 0x20000000,), EPERM, EPERM),  # CLONE_NEWPID
    ("x86_64", "clone", (THREAD | 0x00020000,), EPERM, EPERM),  # CLONE_NEWNS
    ("x86_64", "clone", (0x4111,), EPERM, EPERM),  # vfork
    ("x86_64", "clone", (FORK | 0x8000,), EPERM, EPERM),  # CLONE_PARENT
    ("x86_64", "clone3", (), ENOSYS, ENOSYS),
    ("aarch64", "clone3", (), ENOSYS, ENOSYS),
    ("x86_64", "kill", (1, 9), ALLOW, EPERM),
    ("x86_64", "kill", (OWN_PID, 9), ALLOW, ALLOW),
    ("x86_64", "kill", (0, 9), ALLOW, EPERM),
    ("aarch64", "kill", (0xFFFFFFFFFFFFFFFF, 9), ALLOW, EPERM),
    ("aarch64", "tgkill", (1, 1, 9), ALLOW, EPERM),
    ("aarch64", "tgkill", (OWN_PID, 7, 9), ALLOW, ALLOW),
    ("x86_64", "ioctl", (0, 0x5401), ALLOW, ALLOW),
    ("x86_64", "ioctl", (0, 0x5412), EPERM, EPERM),  # TIOCSTI
    ("x86_64", "ioctl", (0, 0x5452), EPERM, EPERM),  # FIOASYNC
    ("x86_64", "fcntl", (0, 4, os.O_NONBLOCK), ALLOW, ALLOW),
    ("x86_64", "fcntl", (0, 4, 0x2000), EPERM, EPERM),  # O_ASYNC
    ("x86_64", "fcntl", (0, 4, 0x4000), EPERM, EPERM),  # O_DIRECT
    ("aarch64", "fcntl", (0, 4, 0x10000), EPERM, EPERM),  # O_DIRECT
    ("aarch64", "fcntl", (0, 4, 0x20000), ALLOW, ALLOW),  # O_LARGEFILE
    *(("x86_64", "fcntl", (0, c), EPERM, EPERM) for c in (8, 10, 15, 1024, 1026, 1031, 1033)),
    ("x86_64", "prlimit64", (0, 9, 0x7F0000001000), ALLOW, EPERM),
    ("x86_64", "prlimit64", (0, 9, 1 << 32), ALLOW, EPERM),
    ("x86_64", "prlimit64", (0, 9, 0, 0x7F0000001000), ALLOW, ALLOW),
    ("x86_64", "prlimit64", (0, 3, 0x7F0000001000), ALLOW, ALLOW),  # RLIMIT_STACK
    ("x86_64", "prlimit64", (1, 3, 0), EPERM, EPERM),
    ("x86_64", "socketpair", (1, 0x80801, 0), ALLOW, ALLOW),
    ("x86_64", "socketpair", (1, 2, 0), EPERM, EPERM),  # SOCK_DGRAM
    ("x86_64", "socketpair", (2, 1, 0), EPERM, EPERM),
    ("x86_64", "recvfrom", (3, 0, 1, 1), EPERM, EPERM),  # MSG_OOB
    ("x86_64", "sendmsg", (), ALLOW, EPERM),
    ("x86_64", "wait4", (), ALLOW, EPERM),
    ("x86_64", "prctl", (38, 1), ALLOW, EPERM),
    ("x86_64", "prctl", (22, 2), EPERM, EPERM),  # PR_SET_SECCOMP
    ("x86_64", "seccomp", (1,), ALLOW, EPERM),
    ("x86_64", "seccomp", (0,), EPERM, EPERM),
    ("x86_64", "sched_setaffinity", (0,), ALLOW, ALLOW),
    ("x86_64", "sched_setaffinity", (1,), EPERM, EPERM),
]


@pytest.mark.parametrize(("machine", "name", "arguments", "leader", "program"), DECISIONS)
def test_decision(
    machine: str, name: str, arguments: tuple[int, ...], leader: int, program: int
) -> None:
    words = [argument & 0xFFFFFFFFFFFFFFFF for argument in arguments]
    data = call_data(machine, system_calls.MACHINES[machine].numbers[name], *words)
    of_leader = interpret(seccomp.leader_filter(machine), data)
    of_program = interpret(seccomp.program_filter(machine), data)
    both = of_program if of_leader == ALLOW else of_leader
    assert (of_leader, both) == (leader, program)
    assert interpret(seccomp.one_shot_filter(machine), data) == program


# --- Real filters in real processes --------------------------------------------------------------

COMMAND = [sys.executable, "-I", "-S", "-B", "-c"]
CHECKOUT = str(Path(seccomp.__file__).parents[3])
IMPORT_SECCOMP = """
import os, sys, types
for name in ("codefeedback_env", "codefeedback_env.sandbox", "codefeedback_env.sandbox.zygote"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [os.path.join(sys.argv[1], *name.split("."))]
from codefeedback_env.sandbox.zygote import seccomp
"""
RUNNER = r"""
import ctypes, json, _signal

filters = {
    "leader": seccomp.Filter(seccomp.leader_filter()),
    "program": seccomp.Filter(seccomp.program_filter()),
    "one-shot": seccomp.Filter(seccomp.one_shot_filter()),
}
numbers = seccomp._find_machine(None).numbers
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def call(name, *arguments):
    number = numbers[name] if isinstance(name, str) else name
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def run(policy, source, fds):
    _signal.alarm(30)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    os.closerange(3, 64)
    sys.stdin, sys.stdout, sys.stderr = (open(n, m, closefd=False) for n, m in enumerate("rww"))
    if policy == "program":
        filters["leader"].install()
        child = os.fork()
        if child:
            status = os.wait4(child, 0)[1]
            if os.WIFSIGNALED(status):
                _signal.signal(os.WTERMSIG(status), _signal.SIG_DFL)
                os.kill(os.getpid(), os.WTERMSIG(status))
            os._exit(os.WEXITSTATUS(status))
    sys.path.append(sys.argv[2])
    code = compile(source, "solution.py", "exec", dont_inherit=True)
    if policy != "none":
        filters[policy].install(all_threads=policy == "one-shot")
    exit_code = 0
    try:
        exec(code, {"__name__": "__main__", "call": call, "check": check, "libc": libc})
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        exit_code = 1
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(exit_code)

seccomp.no_new_privileges()
seccomp.set_not_dumpable()
for line in iter(sys.stdin.readline, ""):
    policy, source = json.loads(line)
    fds = [os.memfd_create(name) for name in ("in", "out", "err")]
    os.write(fds[0], b"first line\nsecond line\n")
    os.lseek(fds[0], 0, os.SEEK_SET)
    pid = os.fork()
    if pid == 0:
        run(policy, source, fds)
    _, status, _ = os.wait4(pid, 0)
    out, err = (os.pread(fd, 1 << 20, 0).decode(errors="replace") for fd in fds[1:])
    for fd in fds:
        os.close(fd)
    print(json.dumps([os.waitstatus_to_exitcode(status), out, err]), flush=True)
"""


class Runner:
    """Forks a process for every program, as the zygote does."""

    def __init__(self) -> None:
        site = str(Path(np.__file__).parents[1])
        self._process = subprocess.Popen(
            [*COMMAND, IMPORT_SECCOMP + RUNNER, CHECKOUT, site],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"OPENBLAS_NUM_THREADS": "1"},
        )

    def run(self, policy: str, source: str) -> tuple[int, str, str]:
        """Exit code or minus the signal, stdout, stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([policy, source]) + "\n")
        self._process.stdin.flush()
        code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    if sys.platform != "linux":
        pytest.skip("seccomp is Linux's")
    try:
        seccomp.leader_filter()
    except seccomp.SeccompUnavailableError as error:
        pytest.skip(str(error))
    runner = Runner()
    yield runner
    runner.close()


on_this_processor = sorted(
    set(seccomp._HOSTILE)
    & set(system_calls.MACHINES.get(platform.machine(), system_calls.MACHINES["aarch64"]).numbers)
)


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", FILTERS)
@pytest.mark.parametrize("name", on_this_processor)
def test_hostile_call_kills(runner: Runner, name: str, policy: str) -> None:
    code, _, err = runner.run(policy, f"call({name!r}, 0, 0, 0, 0, 0, 0)")
    assert code == -signal.SIGSYS, err


HOSTILE_PROGRAMS = {
    "ptrace the parent": "import os; libc.ptrace(16, os.getppid(), 0, 0)",
    "read the parent's memory": """
import ctypes, os
class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
mine, theirs = ctypes.create_string_buffer(8), IoVec(id(os), 8)
libc.process_vm_readv(os.getppid(), ctypes.byref(IoVec(ctypes.addressof(mine), 8)), 1,
                      ctypes.byref(theirs), 1, 0)
""",
    "a user namespace": "libc.unshare(0x10000000)",
    "a hostile call from a thread": """
import threading
thread = threading.Thread(target=lambda: libc.unshare(0))
thread.start()
thread.join()
""",
    "a hostile call with SIGSYS ignored": """
import signal
signal.signal(signal.SIGSYS, signal.SIG_IGN)
libc.unshare(0)
""",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", ["program", "one-shot"])
@pytest.mark.parametrize("title", HOSTILE_PROGRAMS)
def test_hostile_program_is_killed(runner: Runner, title: str, policy: str) -> None:
    code, _, err = runner.run(policy, HOSTILE_PROGRAMS[title])
    assert code == -signal.SIGSYS, err


INT_80 = """
import ctypes, mmap
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of i386); int 0x80; ret
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
print(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
"""


@pytest.mark.sandbox
@pytest.mark.skipif(platform.machine() != "x86_64", reason="an x86_64 way in")
@pytest.mark.parametrize("policy", FILTERS)
def test_int_0x80_from_machine_code_kills(runner: Runner, policy: str) -> None:
    if runner.run("none", INT_80)[0] != 0:
        pytest.skip("this kernel has no 32-bit system calls to defend against")
    assert runner.run(policy, INT_80)[0] == -signal.SIGSYS


@pytest.mark.sandbox
@pytest.mark.skipif(platform.machine() != "x86_64", reason="an x86_64 way in")
@pytest.mark.parametrize("policy", FILTERS)
@pytest.mark.parametrize("number", [0x40000000 + 39, 0x40000000 + 521])
def test_x32_call_kills(runner: Runner, number: int, policy: str) -> None:
    assert runner.run(policy, f"call({number})")[0] == -signal.SIGSYS


FORBIDDEN = {
    "fork": "import os; os.fork()",
    "vfork": "check(libc.vfork())",
    "clone with a new user namespace": "call('clone', 0x10000000 | 17, 0, 0, 0, 0)",
    "clone sharing memory": "call('clone', 0x100 | 17, 0, 0, 0, 0)",
    "posix_spawn": "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'])",
    "execve": "import os; os.execv('/bin/true', ['true'])",
    "execveat": "import os; os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], {})",
    "multiprocessing": """
import multiprocessing
multiprocessing.get_context('fork').Process(target=print).start()
""",
    "kill the parent": "import os; os.kill(os.getppid(), 9)",
    "stop the parent": "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)",
    "kill all": "import os; os.kill(-1, 9)",
    "kill the group": "import os; os.kill(0, 9)",
    "killpg": "import os; os.killpg(os.getpgid(0), 9)",
    "tgkill the parent": "import os; call('tgkill', os.getppid(), os.getppid(), 9)",
    "sigqueue": "import os; check(libc.sigqueue(os.getppid(), 9, 0))",
    "pidfd_open": "import os; os.pidfd_open(os.getppid())",
    "pidfd_send_signal": "call('pidfd_send_signal', 0, 9, 0, 0)",
    "wait": "import os; os.wait4(-1, 0)",
    "internet socket": "import socket; socket.socket()",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "netlink socket": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "datagram pair": "import socket; socket.socketpair(type=socket.SOCK_DGRAM)",
    "sendmsg": "call('sendmsg', 1, 0, 0)",
    "recvmsg": "call('recvmsg', 0, 0, 0)",
    "send a descriptor": """
import os, socket
a, b = socket.socketpair()
socket.send_fds(a, [b'x'], [0])
""",
    "out-of-band data": "import socket; socket.socketpair()[0].send(b'x', socket.MSG_OOB)",
    "change a limit": "check(libc.setrlimit(0, (__import__('ctypes').c_long * 2)(99, 99)))",
    "read the parent's limits": "import os, resource; resource.prlimit(os.getppid(), 0)",
    "become dumpable": "check(libc.prctl(4, 1, 0, 0, 0))",
    "forget the death signal": "check(libc.prctl(1, 0, 0, 0, 0))",
    "prctl seccomp": "check(libc.prctl(22, 1, 0, 0, 0))",
    "a second filter": "call('seccomp', 1, 0, 0)",
    "memfd_create": "import os; os.memfd_create('x')",
    "chmod": "import os; os.chmod('/', 0o777)",
    "fchmod": "import os; os.fchmod(0, 0o777)",
    "chown": "import os; os.chown('/', 0, 0)",
    "fchown": "import os; os.fchown(0, 0, 0)",
    "utime": "import os; os.utime('/')",
    "futimens": "import os; os.utime(1)",
    "setxattr": "import os; os.setxattr('/', 'user.x', b'1')",
    "fsetxattr": "import os; os.setxattr(1, 'user.x', b'1')",
    "link": "import os; os.link('/bin/true', '/new')",
    "symlink": "import os; os.symlink('/etc', '/new')",
    "rename": "import os; os.rename('/no', '/new')",
    "unlink": "import os; os.unlink('/no')",
    "mkdir": "import os; os.mkdir('/new')",
    "rmdir": "import os; os.rmdir('/no')",
    "mkfifo": "import os; os.mkfifo('/new')",
    "mknod": "import os; os.mknod('/new')",
    "truncate": "import os; os.truncate('/no', 0)",
    "open for writing": "open('/new', 'w')",
    "open for appending": "open('/new', 'a')",
    "open for reading and writing": "open('/bin/true', 'r+')",
    "unnamed file": "import os; os.open('/', os.O_TMPFILE | os.O_WRONLY)",
    "shared memory": "check(libc.shmget(0, 4096, 0o1600))",
    "message queue": "check(libc.msgget(0, 0o1600))",
    "semaphores": "check(libc.semget(0, 1, 0o1600))",
    "F_SETOWN": "import fcntl; fcntl.fcntl(0, 8, 1)",
    "F_SETSIG": "import fcntl; fcntl.fcntl(0, 10, 9)",
    "F_SETOWN_EX": "import fcntl; fcntl.fcntl(0, 15, b'12345678')",
    "F_SETLEASE": "import fcntl; fcntl.fcntl(0, fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "F_NOTIFY": "import fcntl; fcntl.fcntl(0, fcntl.F_NOTIFY, 0)",
    "F_SETPIPE_SZ": "import fcntl, os; fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
    "F_ADD_SEALS": "import fcntl; fcntl.fcntl(0, fcntl.F_ADD_SEALS, 1)",
    "lock a file": "import fcntl; fcntl.lockf(1, fcntl.LOCK_EX)",
    "flock": "import fcntl; fcntl.flock(0, fcntl.LOCK_EX)",
    "O_ASYNC": "import fcntl, os; fcntl.fcntl(os.pipe()[0], fcntl.F_SETFL, os.O_ASYNC)",
    "push back terminal input": "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    "session": "import os; os.setsid()",
    "process group": "import os; os.setpgid(0, 0)",
    "nice": "import os; os.nice(1)",
    "scheduler": "import os; os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "another's processors": "import os; os.sched_setaffinity(os.getppid(), {0})",
    "lock memory": "check(libc.mlockall(1))",
    "setuid": "import os; os.setuid(os.getuid())",
    "host name": "import socket; socket.sethostname('x')",
    "set the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
    "inotify": "check(libc.inotify_init1(0))",
    "timerfd": "check(libc.timerfd_create(1, 0))",
    "signalfd": "check(libc.signalfd(-1, (__import__('ctypes').c_char * 128)(), 0))",
    "splice": "import os; os.splice(0, os.pipe()[1], 8)",
    "sendfile": "import os; os.sendfile(1, 0, 0, 8)",
    "sync": "import os; os.fsync(1)",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", ["program", "one-shot"])
@pytest.mark.parametrize("title", FORBIDDEN)
def test_forbidden_call_is_a_permission_error(runner: Runner, title: str, policy: str) -> None:
    code, _, err = runner.run(policy, FORBIDDEN[title])
    last_line = err.strip().rpartition("\n")[2]
    assert (code, last_line[:26]) == (1, "PermissionError: [Errno 1]"), (code, err)


NEEDS_IMPORTS_ONLY = """
import sys, warnings
warnings.simplefilter("ignore")
for name in sorted(sys.stdlib_module_names - {"antigravity", "this", "_ios_support"}):
    try:
        __import__(name)
    except ImportError:
        pass
import concurrent.futures, xml.dom.minidom, importlib.metadata, multiprocessing.pool, email.message
import logging.handlers, asyncio.runners, unittest.mock, urllib.request
import multiprocessing.shared_memory
"""
HONEST = {
    "input": "assert [input(), input()] == ['first line', 'second line']",
    "read all": "import sys; assert sys.stdin.buffer.read() == b'first line\\nsecond line\\n'",
    "open(0)": "assert open(0).read().split() == 'first line second line'.split()",
    "os.read of the whole size": """
import os
assert os.read(0, os.fstat(0).st_size) == b'first line\\nsecond line\\n'
os.lseek(0, 0, 0)
assert os.pread(0, 5, 6) == b'line\\n' and os.readv(0, [bytearray(5)]) == 5
""",
    "map stdin": "import mmap; assert mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:5] == b'first'",
    "print": "import sys; print('a'); sys.stdout.write('b\\n'); print('c', file=sys.stderr)",
    "isatty and terminal size": """
import os, sys, shutil
assert not sys.stdin.isatty() and shutil.get_terminal_size()
""",
    "threads": """
import threading, concurrent.futures
from queue import Queue
queue = Queue()
threads = [threading.Thread(target=queue.put, args=(i,)) for i in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert sorted(queue.get() for _ in range(20)) == list(range(20))
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
""",
    "deep recursion in a thread with a large stack": """
import sys, threading
sys.setrecursionlimit(1 << 20); threading.stack_size(128 << 20)
def depth(n): return n and 1 + depth(n - 1)
results = []
thread = threading.Thread(target=lambda: results.append(depth(50000)))
thread.start(); thread.join()
assert results == [50000]
""",
    "stack limit": """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE):
    resource.getrlimit(kind)
""",
    "memory": """
import array, mmap
parts = [bytearray(1 << 20) for _ in range(64)]; del parts
shared = mmap.mmap(-1, 1 << 20); shared[:3] = b'abc'; shared.flush(); shared.close()
numbers = array.array('q')
for i in range(1 << 18): numbers.append(i)
""",
    "machine code": """
import ctypes, platform
qsort = ctypes.CDLL(None).qsort
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 3)(3, 1, 2)
qsort(values, 3, 4, compare(lambda a, b: a[0] - b[0]))
assert list(values) == [1, 2, 3]
""",
    "clocks": """
import time, datetime
time.time(); time.monotonic(); time.perf_counter(); time.process_time(); time.thread_time()
time.sleep(0.01); time.localtime(); datetime.datetime.now(); time.get_clock_info('monotonic')
time.clock_getres(time.CLOCK_MONOTONIC); time.clock_gettime(time.CLOCK_BOOTTIME)
""",
    "randomness": """
import os, random, secrets, uuid, tempfile, hashlib
random.seed(); random.random(); os.urandom(8); secrets.token_hex(); uuid.uuid4()
hashlib.sha256(b'').hexdigest()
""",
    "about the machine": """
import os, platform, resource, sys
os.getpid(); os.getppid(); os.getuid(); os.geteuid(); os.getgroups(); os.uname(); os.cpu_count()
os.sched_getaffinity(0); os.times(); os.getpgid(0); os.getsid(0); os.getpriority(0, 0)
platform.machine(); platform.python_version(); resource.getrusage(resource.RUSAGE_SELF)
os.sched_setaffinity(0, os.sched_getaffinity(0)); os.umask(0o22); os.getresuid()
os.sysconf('SC_PHYS_PAGES')
""",
    "look at files": """
import os, pathlib
os.getcwd(); os.chdir('/'); os.listdir('/usr'); os.stat('/usr'); os.access('/usr', os.R_OK)
pathlib.Path('/lib').resolve(); os.path.exists('/no'); list(os.scandir('/usr'))
open(os.__file__).read()
""",
    "signals": """
import signal, time
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
signal.alarm(1); signal.alarm(0)
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.1)
assert seen == [1]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
signal.siginterrupt(signal.SIGALRM, False); signal.getitimer(signal.ITIMER_REAL)
""",
    "signals to itself": """
import os, signal, threading
seen = []
signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
signal.raise_signal(signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
assert seen == [signal.SIGUSR1] * 3
""",
    "interrupt the main thread": """
import _thread, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    _thread.interrupt_main()
    for _ in range(1000): pass
except KeyboardInterrupt:
    pass
""",
    "pipes and polling": """
import os, select, selectors
r, w = os.pipe(); os.write(w, b'x'); os.set_blocking(r, False)
assert select.select([r], [w], [], 0)[0] == [r]
poll = select.poll(); poll.register(r); assert poll.poll(0)
with selectors.DefaultSelector() as selector:
    selector.register(r, selectors.EVENT_READ); assert selector.select(0)
assert os.read(r, 1) == b'x'
os.eventfd(0); os.dup(r); os.dup2(r, 20); os.set_inheritable(r, True); os.close(w)
""",
    "duplicate descriptors": """
import fcntl, os
copy = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 10)
fcntl.fcntl(copy, fcntl.F_SETFL, fcntl.fcntl(copy, fcntl.F_GETFL) | os.O_NONBLOCK)
os.write(copy, b'x'); os.ftruncate(1, 0); os.closerange(3, 100)
""",
    "asyncio": """
import asyncio
async def double(x):
    await asyncio.sleep(0.001)
    return 2 * x
async def main():
    return await asyncio.gather(*map(double, range(5)), asyncio.to_thread(abs, -10))
assert asyncio.run(main()) == [0, 2, 4, 6, 8, 10]
""",
    "the whole standard library": NEEDS_IMPORTS_ONLY,
    "numpy": """
import numpy as np
a = np.random.default_rng(1).random((200, 200))
assert np.allclose(a @ np.linalg.inv(a), np.eye(200)) and np.fromstring('1 2', sep=' ').sum() == 3
""",
    "faults are reported": "import faulthandler; faulthandler.enable()",
    "the end of the program": """
import atexit, os
atexit.register(print, 'bye')
os.read(0, 5)
""",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", ["program", "one-shot"])
@pytest.mark.parametrize("title", HONEST)
def test_honest_program_works(runner: Runner, title: str, policy: str) -> None:
    code, _, err = runner.run(policy, HONEST[title])
    assert code == 0, err


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", FILTERS)
def test_clone3_does_not_exist(runner: Runner, policy: str) -> None:
    _, _, err = runner.run(policy, "call('clone3', 0, 0)")
    assert "[Errno 38]" in err


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", FILTERS)
def test_calls_newer_than_the_tables_do_not_exist(runner: Runner, policy: str) -> None:
    _, _, err = runner.run(policy, "call(490, 0)")
    assert "[Errno 38]" in err


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", ["program", "one-shot"])
def test_os_system_fails_without_an_exception(runner: Runner, policy: str) -> None:
    assert runner.run(policy, "import os; print(os.system('true') != 0)")[:2] == (0, "True\n")


@pytest.mark.sandbox
@pytest.mark.parametrize("policy", FILTERS)
def test_abort_ends_as_sigabrt(runner: Runner, policy: str) -> None:
    assert runner.run(policy, "import os; os.abort()")[0] == -signal.SIGABRT


@pytest.mark.sandbox
def test_the_leader_keeps_what_it_needs(runner: Runner) -> None:
    program = """
import os, resource, signal, socket, select
ours, theirs = socket.socketpair()
socket.send_fds(theirs, [b'test'], [1]); message, fds, _, _ = socket.recv_fds(ours, 10, 1)
assert message == b'test' and len(fds) == 1
ours.send(b'x'); assert theirs.recv(1) == b'x'
socket.socket(fileno=ours.detach())
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
for expected in (0, signal.SIGKILL):
    child = os.fork()
    if child == 0:
        if expected: signal.pause()
        os._exit(0)
    pidfd = os.pidfd_open(child)
    if expected: signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert signal.sigtimedwait({signal.SIGCHLD}, 10)
    assert os.wait4(child, 0)[1] == expected
    os.close(pidfd)
child = os.fork()
if child == 0: signal.pause()
os.kill(child, 9); os.wait4(child, 0)
check(libc.prctl(4, 0, 0, 0, 0)); check(libc.prctl(1, 9, 0, 0, 0))
"""
    code, _, err = runner.run("leader", program)
    assert code == 0, err


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "title",
    [
        "vfork",
        "execve",
        "subprocess",
        "internet socket",
        "chmod",
        "open for writing",
        "memfd_create",
    ],
)
def test_the_leader_gets_no_more_than_it_needs(runner: Runner, title: str) -> None:
    code, _, err = runner.run("leader", FORBIDDEN[title])
    assert (code, "PermissionError: [Errno 1]" in err) == (1, True), err


@pytest.mark.sandbox
def test_threads_started_before_the_filter_are_confined_with_it(runner: Runner) -> None:
    program = """
import sys, threading
from codefeedback_env.sandbox.zygote import seccomp
go = threading.Event()
def later():
    go.wait()
    libc.unshare(0)
thread = threading.Thread(target=later)
thread.start()
seccomp.Filter(seccomp.one_shot_filter()).install(all_threads={all_threads})
go.set()
thread.join()
"""
    assert runner.run("none", program.format(all_threads=False))[0] == 0
    assert runner.run("none", program.format(all_threads=True))[0] == -signal.SIGSYS


@pytest.mark.sandbox
def test_an_unprivileged_process_needs_no_preparation(runner: Runner) -> None:
    program = """
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
before = seccomp._libc.prctl(39, 0, 0, 0, 0)  # PR_GET_NO_NEW_PRIVS
seccomp.Filter(seccomp.one_shot_filter()).install()
try:
    os.fork()
except PermissionError:
    print(before)
"""
    done = subprocess.run(
        [*COMMAND, IMPORT_SECCOMP + program, CHECKOUT], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.sandbox
def test_a_filter_the_kernel_refuses_raises(runner: Runner) -> None:
    program = """
from codefeedback_env.sandbox.zygote import seccomp
try:
    seccomp.Filter(bytes(8)).install()
except seccomp.SeccompUnavailableError as error:
    print(error)
"""
    assert runner.run("none", program)[1] == (
        "the kernel refuses a system call filter: Invalid argument.\n"
    )
