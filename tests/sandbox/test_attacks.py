"""The attack catalogue: what a program may try, how it must end, and what must hold afterwards.

Every number of the catalogue (docs/sandbox.md) is here exactly once: in ATTACKS, as a test function
of its own, or in ELSEWHERE with the test that proves it.

An attack prints ESCAPED where it got what it was after; no verdict makes up for that.
"""

import os
import re
import secrets
import signal
import socket
import textwrap
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sandbox_fixtures import (
    FILE_PREFIX,
    LIMITS,
    SECRET,
    about,
    children_of,
    jail_processes,
    judge_program,
    judge_run,
    leaving_nothing_behind,
    parent_of,
    run_all,
    run_program,
    wait_until,
)

from codefeedback_env.checkers import Comparison
from codefeedback_env.errors import SandboxError
from codefeedback_env.sandbox.base import STDERR_KEPT_BYTES, InputFile, Limits, RunResult, Sandbox
from codefeedback_env.sandbox.jails import ENVIRONMENT
from codefeedback_env.sandbox.zygote import system_calls, wire
from codefeedback_env.verdicts import Verdict

pytest_plugins = ["sandbox_fixtures"]
pytestmark = pytest.mark.sandbox

ACCEPTED = frozenset({Verdict.ACCEPTED})
WRONG = frozenset({Verdict.WRONG_ANSWER})
ERROR = frozenset({Verdict.RUNTIME_ERROR})
TIME = frozenset({Verdict.TIME_LIMIT})
MEMORY = frozenset({Verdict.MEMORY_LIMIT})
OUTPUT = frozenset({Verdict.OUTPUT_LIMIT})
UNCOMPILED = frozenset({Verdict.COMPILE_ERROR})
VIOLATION = frozenset({Verdict.SECURITY_VIOLATION})

REFUSED = r"PermissionError: \[Errno (1|13)\]|OSError: \[Errno 30\]"  # EPERM, EACCES, EROFS
NOT_FOUND = rf"FileNotFoundError|{REFUSED}"
STDIN, EXPECTED = b"20 22\n", b"42\n"
CHECKOUT = Path(system_calls.__file__).parents[3]
HIGHEST_NUMBER = 75

EXTRA_CALLS = {  # not in the filter's own table
    "x86_64": {"tkill": 200, "rt_sigqueueinfo": 129, "timer_create": 222, "memfd_secret": 447},
    "aarch64": {"tkill": 130, "rt_sigqueueinfo": 138, "timer_create": 107, "memfd_secret": 447},
}

PRELUDE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {numbers}

def escaped(*what):
    os.write(2, b"ESCAPED " + repr(what).encode())

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def call(name, *arguments):
    number = NUMBERS[name] if isinstance(name, str) else name
    return check(libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))
"""


@dataclass(frozen=True)
class Attack:
    """One line of the catalogue; each of its programs must end with one of the verdicts."""

    number: int
    title: str
    verdicts: frozenset[Verdict]
    programs: dict[str, str | bytes]
    error: str = REFUSED
    """What the last line on stderr must match where the program ends by an exception."""

    limits: Limits = LIMITS
    needs: str = ""
    """Processor, where it is written for one."""


ATTACKS = (
    Attack(1, "endless loop", TIME, {"": "while 1: pass"}),
    Attack(2, "endless sleep", TIME, {"": "import time; time.sleep(1e6)"}),
    Attack(
        3,
        "deaf to every signal",
        TIME,
        {
            "": """
                import signal
                for number in signal.valid_signals() - {9, 19}:
                    signal.signal(number, signal.SIG_IGN)
                while 1: pass
            """
        },
    ),
    Attack(4, "8 GiB at once", MEMORY, {"": "bytearray(8 << 30)"}),
    Attack(
        5,
        "allocates and touches for ever",
        MEMORY,
        {"": "x = []\nwhile 1: x.append(b'x' * (1 << 20))"},
        limits=replace(LIMITS, cpu_time_s=3),
    ),
    Attack(
        6,
        "out of memory, then right",
        ACCEPTED,
        {"": "try:\n    bytearray(8 << 30)\nexcept MemoryError:\n    print(42)"},
    ),
    Attack(
        7,
        "shared anonymous memory",
        ERROR | MEMORY,
        {
            "reserved": "import mmap; mmap.mmap(-1, 8 << 30); escaped()",
            "touched": """
                import mmap
                m = mmap.mmap(-1, 300 << 20)
                for at in range(0, len(m), 4096): m[at] = 1
                print(42)
            """,
        },
        error=r"OSError: \[Errno 12\]",
        limits=replace(LIMITS, cpu_time_s=3),
    ),
    Attack(
        8,
        "memory file",
        ERROR,
        {
            "memfd_create": "f = os.memfd_create('x'); escaped(os.write(f, bytes(1 << 20)))",
            "memfd_secret": "escaped(call('memfd_secret', 0))",
        },
        error=rf"{REFUSED}|OSError: \[Errno 38\]",
    ),
    Attack(
        9,
        "pipes filled to the brim",
        ERROR,
        {
            "many": """
                pipes = []
                for _ in range(1000):
                    pipes.append(os.pipe())
                    os.set_blocking(pipes[-1][1], False)
                    os.write(pipes[-1][1], bytes(1 << 20))
                escaped()
            """,
            "enlarged": """
                import fcntl
                r, w = os.pipe()
                escaped(fcntl.fcntl(w, 1031, 1 << 20))
            """,
        },
        error=rf"OSError: \[Errno 24\]|{REFUSED}",
    ),
    Attack(
        10,
        "fork bomb",
        ERROR,
        {
            "fork": "while 1:\n    os.fork()\n    escaped()",
            "forkpty": "import pty; pty.fork(); escaped()",
            "vfork": "call(58 if os.uname().machine == 'x86_64' else 220, 0x4111); escaped()",
            "multiprocessing": """
                import multiprocessing
                p = multiprocessing.get_context("fork").Process(target=print)
                p.start()
                escaped()
            """,
        },
        error=rf"{REFUSED}|OSError: out of pty devices",
    ),
    Attack(
        11,
        "daemon by double fork",
        ERROR,
        {
            "": """
                import time
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        escaped()
                        time.sleep(600)
                    os._exit(0)
            """,
            "setsid": "escaped(os.setsid())",
            "setpgid": "escaped(os.setpgid(0, 1))",
        },
    ),
    Attack(
        12,
        "ten thousand threads",
        ERROR | MEMORY,
        {
            "": """
                import threading, time
                threading.stack_size(1 << 16)
                for i in range(10_000):
                    if i > 64: escaped(i)
                    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            """,
        },
        error="RuntimeError: can't start new thread",
    ),
    Attack(
        13,
        "threads that outlive main",
        TIME,
        {
            "": """
                import threading, time
                for _ in range(10):
                    threading.Thread(target=time.sleep, args=(600,)).start()
                print(42)
            """,
        },
    ),
    Attack(
        14,
        "other programs",
        ERROR,
        {
            "subprocess": "import subprocess; subprocess.run(['/bin/true']); escaped()",
            "shell": "import subprocess; subprocess.run('true', shell=True); escaped()",
            "os.system": """
                status = os.system("true")
                if status == 0: escaped()
                raise PermissionError(1, status)
            """,
            "os.popen": "escaped(os.popen('true').read())",
            "execve": "os.execv('/usr/bin/python3', ['python3', '-c', 'print(42)'])",
            "execveat": """
                fd = os.open("/usr/bin/python3", os.O_RDONLY)
                os.execve(fd, ["python3", "-c", "print(42)"], {})
            """,
            "posix_spawn": "escaped(os.posix_spawn('/bin/true', ['true'], {}))",
        },
    ),
    Attack(
        15,
        "recursion without end",
        ERROR | MEMORY | TIME,
        {
            "Python": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
            "through C": """
                import sys
                sys.setrecursionlimit(10**9)
                class C:
                    def __repr__(self): return repr(self)
                repr(C())
            """,
            "repr of a nested list": """
                import sys
                sys.setrecursionlimit(10**9)
                x = []
                for _ in range(10**6): x = [x]
                print(len(repr(x)))
            """,
            "pickle": """
                import pickle, sys
                sys.setrecursionlimit(10**9)
                x = []
                for _ in range(10**6): x = [x]
                pickle.dumps(x)
            """,
        },
        error="RecursionError|MemoryError",
    ),
    Attack(
        16,
        "crash of the interpreter",
        ERROR,
        {
            "null pointer": "ctypes.string_at(0)",
            "bad bytecode": """
                def f(): pass
                f.__code__ = f.__code__.replace(co_code=bytes([100, 255]) * 3, co_consts=())
                f()
                ctypes.string_at(0)
            """,
            "stack of a thread": """
                import sys, threading
                sys.setrecursionlimit(10**9)
                class C:
                    def __repr__(self): return repr(self)
                threading.Thread(target=repr, args=(C(),)).start()
            """,
            "illegal instruction": """
                import signal
                signal.raise_signal(signal.SIGILL)
            """,
        },
        limits=replace(LIMITS, cpu_time_s=3),
    ),
    Attack(
        17,
        "a gibibyte on stdout",
        OUTPUT,
        {"": "for _ in range(1 << 10): os.write(1, bytes(1 << 20))"},
    ),
    Attack(
        18,
        "the same with SIGXFSZ ignored",
        OUTPUT,
        {
            "ended by the error": """
                import signal
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                for _ in range(1 << 10): os.write(1, bytes(1 << 20))
            """,
            "error caught": """
                import signal
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                try:
                    while 1: os.write(1, bytes(1 << 20))
                except OSError:
                    os._exit(0)
            """,
        },
    ),
    Attack(
        19,
        "a sparse stdout",
        OUTPUT,
        {
            "lseek": "os.lseek(1, 1 << 40, os.SEEK_SET); os.write(1, b'x')",
            "ftruncate": "os.ftruncate(1, 1 << 40)",
            "pwrite": "os.pwrite(1, b'x', 1 << 40)",
        },
    ),
    Attack(19, "a sparse stdout by fallocate", ERROR, {"": "os.posix_fallocate(1, 0, 1 << 40)"}),
    Attack(20, "endless stderr", OUTPUT, {"": "while 1: os.write(2, b'x' * 4096)"}),
    Attack(21, "invalid UTF-8 on stdout", WRONG, {"": r"os.write(1, b'42\xff\xfe\n')"}),
    Attack(22, "right answer and a NUL", WRONG, {"": r"os.write(1, b'42\0')"}),
    Attack(
        23,
        "right answer and a failure",
        ERROR,
        {
            "exit code": "print(42); sys.exit(3)",
            "abort": "print(42, flush=True); os.abort()",
            "exception": "print(42, flush=True); raise PermissionError(1, '')",
        },
    ),
    Attack(24, "half the output and os._exit(0)", WRONG, {"": "os.write(1, b'4'); os._exit(0)"}),
    Attack(
        25,
        "right answer at the very end",
        ACCEPTED,
        {
            "atexit": "import atexit; atexit.register(print, 42)",
            "thread": """
                import threading, time
                def late():
                    time.sleep(0.05)
                    print(42)
                threading.Thread(target=late).start()
            """,
            "__del__": "class C:\n    def __del__(self): print(42)\nc = C()",
        },
    ),
    Attack(
        26, "right answer and an endless loop", TIME, {"": "print(42, flush=True)\nwhile 1: pass"}
    ),
    Attack(
        27,
        "signals to others",
        ERROR,
        {
            "all": "escaped(os.kill(-1, 9))",
            "pid 1": "escaped(os.kill(1, 9))",
            "pid 1, harmless": "escaped(os.kill(1, 0))",
            "parent": "escaped(os.kill(os.getppid(), 19))",
            "pid 0": "escaped(os.kill(0, 9))",
            "own group": "escaped(os.killpg(os.getpgrp(), 19))",
            "neighbours": """
                for pid in range(1, 1000):
                    if pid != os.getpid():
                        try:
                            os.kill(pid, 19)
                            escaped(pid)
                        except ProcessLookupError:
                            pass
            """,
        },
    ),
    Attack(
        28,
        "signals by raw system calls",
        ERROR | VIOLATION,
        {
            "tgkill": "escaped(call('tgkill', os.getppid(), os.getppid(), 9))",
            "tgkill pid 1": "escaped(call('tgkill', 1, 1, 9))",
            "tkill": "escaped(call('tkill', os.getppid(), 9))",
            "tkill pid 1": "escaped(call('tkill', 1, 9))",
            "rt_sigqueueinfo": """
                info = ctypes.create_string_buffer(128)
                escaped(call("rt_sigqueueinfo", os.getppid(), 9, ctypes.addressof(info)))
            """,
        },
    ),
    Attack(
        29,
        "pidfds",
        ERROR,
        {
            "open pid 1": "escaped(os.pidfd_open(1))",
            "open parent": "escaped(os.pidfd_open(os.getppid()))",
            "signal": "import signal; escaped(signal.pidfd_send_signal(0, 9))",
        },
    ),
    Attack(29, "pidfd_getfd", VIOLATION, {"": "escaped(call('pidfd_getfd', 0, 0, 0))"}),
    Attack(
        30,
        "ptrace",
        VIOLATION,
        {
            "attach to the parent": "escaped(call('ptrace', 16, os.getppid(), 0, 0))",
            "seize pid 1": "escaped(call('ptrace', 0x4206, 1, 0, 0))",
            "traceme": "escaped(call('ptrace', 0, 0, 0, 0))",
        },
    ),
    Attack(
        31,
        "memory of others",
        VIOLATION,
        {
            name: f"""
                buffer = ctypes.create_string_buffer(8)
                vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 8)
                at = ctypes.addressof(vector)
                escaped(call("{name}", os.getppid(), at, 1, at, 1, 0))
            """
            for name in ("process_vm_readv", "process_vm_writev")
        },
    ),
    Attack(
        32,
        "/proc",
        ERROR,
        {
            path: f"escaped(open({path!r}, 'rb').read(10))"
            for path in (
                "/proc/1/mem",
                "/proc/self/mem",
                "/proc/self/maps",
                "/proc/self/environ",
                "/proc/1/environ",
                "/proc/1/root/etc/passwd",
                "/proc/self/fd/3",
                "/proc/cpuinfo",
            )
        }
        | {
            "listing": "escaped(os.listdir('/proc'))",
            "fds": "escaped(os.listdir('/proc/self/fd'))",
        },
        error=NOT_FOUND,
    ),
    Attack(
        33,
        "inherited descriptors",
        ACCEPTED,
        {
            "": """
                for fd in range(3, 1 << 16):
                    try:
                        os.fstat(fd)
                        escaped(fd)
                    except OSError as error:
                        if error.errno != 9: escaped(error)
                print(42)
            """,
        },
    ),
    Attack(
        37,
        "files written",
        ERROR,
        {
            folder: f"""
                with open("{folder}/{FILE_PREFIX}file", "w") as file:
                    escaped(file.write("x"))
            """
            for folder in (
                *("", "/tmp", "/var/tmp", "/dev/shm", "/box", ".", "/usr/lib/python3", "/site"),
                *("/home", "/root", "/etc", str(CHECKOUT)),
            )
        }
        | {
            "mkdir": f"escaped(os.mkdir('/tmp/{FILE_PREFIX}folder'))",
            "mkfifo": f"escaped(os.mkfifo('/tmp/{FILE_PREFIX}fifo'))",
            "mknod": f"escaped(os.mknod('/tmp/{FILE_PREFIX}node'))",
            "chmod": "escaped(os.chmod('/usr', 0o777))",
            "chown": "escaped(os.chown('/usr', 0, 0))",
            "utime": "escaped(os.utime('/usr'))",
            "xattr": "escaped(os.setxattr('/usr', 'user.x', b''))",
            "truncate": "escaped(os.truncate('/usr/bin/python3', 0))",
            "unlink": "escaped(os.unlink('/usr/bin/env'))",
            "rename": "escaped(os.rename('/usr/bin/env', '/usr/bin/env2'))",
            "O_TMPFILE": "escaped(os.open('/tmp', os.O_TMPFILE | os.O_RDWR))",
            "unix socket": f"""
                import socket
                escaped(socket.socket(socket.AF_UNIX).bind("/tmp/{FILE_PREFIX}socket"))
            """,
        },
        error=NOT_FOUND,
    ),
    Attack(
        38,
        "links",
        ERROR,
        {
            "symlink": f"escaped(os.symlink('/etc/passwd', '/{FILE_PREFIX}link'))",
            "symlink in /tmp": f"escaped(os.symlink('/etc', '/tmp/{FILE_PREFIX}link'))",
            "hard link": f"escaped(os.link('/usr/bin/env', '/tmp/{FILE_PREFIX}link'))",
            "solution.py": "escaped(os.symlink('/etc/passwd', 'solution.py'))",
        },
        error=NOT_FOUND,
    ),
    Attack(
        39,
        "files read",
        ERROR,
        {
            path: f"escaped(open({path!r}, 'rb').read(10))"
            for path in (
                "/etc/passwd",
                "/etc/shadow",
                "/etc/hostname",
                "/root/.bashrc",
                "/dev/kmsg",
                "/dev/zero",
                "/sys/kernel/notes",
                "/proc/version",
                str(CHECKOUT / "README.md"),
                str(CHECKOUT / "codefeedback_env" / "datasets" / "bundled" / "problems.jsonl.gz"),
                __file__,
            )
        }
        | {
            "listing of the checkout": f"escaped(os.listdir({str(CHECKOUT)!r}))",
            "listing of home": "escaped(os.listdir('/home'))",
            "listing of /tmp": "escaped(os.listdir('/tmp'))",
            "by a path with dots": "escaped(open('/usr/../etc/passwd').read())",
            "the judge's code": "import codefeedback_env.judge.decide; escaped()",
            "the tests": f"sys.path.append({str(CHECKOUT)!r}); import tests; escaped()",
        },
        error=rf"{NOT_FOUND}|ModuleNotFoundError",
    ),
    Attack(
        40,
        "modules planted",
        ERROR,
        {
            path: f"""
                with open("{path}", "w") as file:
                    escaped(file.write("print('ESCAPED')"))
            """
            for path in (
                "/usr/lib/python3/dist-packages/x.pth",
                "/usr/lib/python3/dist-packages/sitecustomize.py",
                "/usr/lib/python3.11/__pycache__/heapq.cpython-311.pyc",
                "/site/heapq.py",
                "heapq.py",
                "/tmp/usercustomize.py",
            )
        },
        error=NOT_FOUND,
    ),
    Attack(
        44,
        "trace functions, right answer",
        ACCEPTED,
        {
            "settrace": """
                import threading
                def trace(frame, event, argument): return trace
                threading.settrace(trace); sys.settrace(trace)
                print(42)
            """,
            "setprofile": "sys.setprofile(lambda *_: None); print(42)",
        },
    ),
    Attack(
        44,
        "trace functions, wrong answer",
        WRONG | ERROR,
        {
            "": """
                def trace(frame, event, argument):
                    for name in ("status", "reason", "verdict", "expected", "result"):
                        if name in frame.f_locals:
                            frame.f_locals[name] = 0
                    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)
                    return trace
                frame = sys._getframe()
                while frame is not None:
                    frame.f_trace = trace
                    frame = frame.f_back
                sys.settrace(trace)
                print(41)
            """,
        },
        error=".",
    ),
    Attack(
        45,
        "limits raised",
        ERROR,
        {
            name: f"import resource as r; escaped(r.setrlimit(r.{name}, (-1, -1)))"
            for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_CORE")
        }
        | {
            "prlimit of pid 1": """
                import resource
                escaped(resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)))
            """,
            "prlimit of the parent": """
                import resource
                escaped(resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1)))
            """,
            "nice": "escaped(os.setpriority(os.PRIO_PROCESS, 0, -10))",
        },
        error=rf"ValueError: not allowed to raise maximum limit|{REFUSED}",
    ),
    Attack(
        46,
        "process options",
        ERROR,
        {
            "PR_SET_DUMPABLE": "escaped(check(libc.prctl(4, 1, 0, 0, 0)))",
            "PR_SET_PTRACER": "escaped(check(libc.prctl(0x59616D61, -1, 0, 0, 0)))",
            "PR_SET_PDEATHSIG": "escaped(check(libc.prctl(1, 0, 0, 0, 0)))",
            "PR_SET_CHILD_SUBREAPER": "escaped(check(libc.prctl(36, 1, 0, 0, 0)))",
            "PR_SET_SECCOMP": "escaped(check(libc.prctl(22, 2, 0, 0, 0)))",
            "seccomp": "escaped(call('seccomp', 1, 0, 0))",
        },
    ),
    Attack(
        47,
        "namespaces, killed",
        VIOLATION,
        {
            "unshare user": "escaped(call('unshare', 0x10000000))",
            "unshare mounts": "escaped(call('unshare', 0x00020000))",
            "setns": "escaped(call('setns', 0, 0))",
        },
    ),
    Attack(
        47,
        "namespaces, refused",
        ERROR,
        {
            "clone user": "escaped(call('clone', 0x10000011, 0, 0, 0, 0))",
            "clone user in a thread": "escaped(call('clone', 0x10000000 | 0x10F00, 0, 0, 0, 0))",
            "clone3": """
                arguments = (ctypes.c_ulong * 11)(0x10000000, 0, 0, 0, 17)
                escaped(call("clone3", ctypes.addressof(arguments), 88))
            """,
        },
        error=rf"{REFUSED}|OSError: \[Errno 38\]",
    ),
    Attack(
        48,
        "io_uring",
        VIOLATION,
        {
            "setup": """
                parameters = ctypes.create_string_buffer(120)
                escaped(call("io_uring_setup", 8, ctypes.addressof(parameters)))
            """,
            "enter": "escaped(call('io_uring_enter', 0, 1, 0, 0, 0, 0))",
            "register": "escaped(call('io_uring_register', -1, 0, 0, 0))",
        },
    ),
    Attack(
        49,
        "keyrings",
        VIOLATION,
        {
            "add_key": """
                texts = [ctypes.c_char_p(x) for x in (b"user", b"note", b"for the next")]
                kind, name, payload = (ctypes.cast(x, ctypes.c_void_p).value for x in texts)
                escaped(call("add_key", kind, name, payload, 12, -4))
            """,
            "request_key": "escaped(call('request_key', 0, 0, 0, -4))",
            "keyctl": "escaped(call('keyctl', 0, -4, 0))",
        },
    ),
    Attack(
        50,
        "kernel machinery",
        VIOLATION,
        {
            "userfaultfd": "escaped(call('userfaultfd', 1))",
            "bpf": "escaped(call('bpf', 0, 0, 0))",
            "perf_event_open": "escaped(call('perf_event_open', 0, 0, -1, -1, 0))",
            "kexec_load": "escaped(call('kexec_load', 0, 0, 0, 0))",
            "init_module": "escaped(call('init_module', 0, 0, 0))",
            "kcmp": "escaped(call('kcmp', 1, os.getpid(), 0, 0, 0))",
        },
    ),
    Attack(
        51,
        "mounts and roots",
        VIOLATION,
        {
            "mount": "escaped(check(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)))",
            "umount": "escaped(check(libc.umount2(b'/usr', 2)))",
            "pivot_root": "escaped(call('pivot_root', 0, 0))",
            "chroot": "escaped(os.chroot('/usr'))",
            "open_by_handle_at": "escaped(call('open_by_handle_at', 0, 0, 0))",
            "fsopen": "escaped(call('fsopen', 0, 0))",
            "open_tree": "escaped(call('open_tree', -100, 0, 0))",
            "move_mount": "escaped(call('move_mount', 0, 0, 0, 0, 0))",
        },
    ),
    Attack(
        52,
        "calls of another processor",
        VIOLATION,
        {
            "int 0x80": r"""
                import mmap
                code = mmap.mmap(-1, 4096, prot=7)
                code.write(b"\xb8\x14\0\0\0\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
                address = ctypes.addressof(ctypes.c_char.from_buffer(code))
                escaped(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
            """,
            "x32": "escaped(call(0x40000000 + 39))",
            "x32 ptrace": "escaped(call(0x40000000 + 521, 0, 0, 0, 0))",
        },
        needs="x86_64",
    ),
    Attack(
        53,
        "sockets",
        ERROR,
        {
            "TCP": "import socket; escaped(socket.socket())",
            "UDP": "import socket; escaped(socket.socket(type=socket.SOCK_DGRAM))",
            "IPv6": "import socket; escaped(socket.socket(socket.AF_INET6))",
            "raw": "import socket; escaped(socket.socket(type=socket.SOCK_RAW))",
            "unix": "import socket; escaped(socket.socket(socket.AF_UNIX))",
            "abstract unix": r"""
                import socket
                escaped(socket.socket(socket.AF_UNIX).bind("\0codefeedback-attack"))
            """,
            "datagram pair": """
                import socket
                escaped(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            """,
            "vsock": "import socket; escaped(socket.socket(40, socket.SOCK_STREAM))",
            "netlink": "import socket; escaped(socket.socket(16, socket.SOCK_RAW))",
            "packet": "import socket; escaped(socket.socket(17, socket.SOCK_RAW))",
            "crypto": "import socket; escaped(socket.socket(38, socket.SOCK_SEQPACKET))",
            "a message in a pair": r"""
                import socket
                a, b = socket.socketpair()
                escaped(a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\0\0\0\0")]))
            """,
        },
    ),
    Attack(
        55,
        "things left in memory for the next program",
        ERROR,
        {
            "shm": "escaped(check(libc.shmget(4711, 4096, 0o1666)))",
            "sem": "escaped(check(libc.semget(4711, 1, 0o1666)))",
            "msg": "escaped(check(libc.msgget(4711, 0o1666)))",
            "POSIX queue": "escaped(check(libc.mq_open(b'/codefeedback', 0o102, 0o666, None)))",
            "POSIX shm": """
                from multiprocessing.shared_memory import SharedMemory
                escaped(SharedMemory(create=True, size=4096))
            """,
            "POSIX semaphore": "import multiprocessing; escaped(multiprocessing.Lock())",
        },
        error=rf"{NOT_FOUND}|OSError: \[Errno 38\]",
    ),
    Attack(
        56,
        "signals by the kernel on one's behalf",
        ERROR,
        {
            "F_SETOWN": "import fcntl; r, w = os.pipe(); escaped(fcntl.fcntl(r, 8, 1))",
            "F_SETOWN_EX": "import fcntl; r, w = os.pipe(); escaped(fcntl.fcntl(r, 15, bytes(8)))",
            "F_SETSIG": "import fcntl; r, w = os.pipe(); escaped(fcntl.fcntl(r, 10, 9))",
            "O_ASYNC": """
                import fcntl
                r, w = os.pipe()
                escaped(fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC))
            """,
            "FIOASYNC": "import fcntl; r, w = os.pipe(); escaped(fcntl.ioctl(r, 0x5452, b'1234'))",
            "F_NOTIFY": """
                import fcntl
                escaped(fcntl.fcntl(os.open("/usr", os.O_RDONLY), fcntl.F_NOTIFY, 2))
            """,
            "lease": "import fcntl; escaped(fcntl.fcntl(0, 1024, 0))",
        },
    ),
    Attack(
        59,
        "standard streams exchanged",
        WRONG | ERROR,
        {
            "closed": "print(42); os.closerange(0, 3)",
            "closed, os._exit": "print(42); os.closerange(0, 3); os._exit(0)",
            "stdout as stdin": "os.dup2(1, 0); print(input())",
            "stdout read back": "os.write(1, b'41'); os.lseek(1, 0, 0); os.write(1, os.read(1, 9))",
            "stdin as stdout": "os.dup2(0, 1); print(42)",
            "stderr as stdout": "os.dup2(2, 1); print(42)",
        },
        error="EOFError|OSError|ValueError|UnsupportedOperation|^$",
    ),
    Attack(
        61,
        "stands still",
        TIME,
        {
            "SIGSTOP": "os.kill(os.getpid(), 19)",
            "all signals blocked": """
                import signal
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                signal.pause()
            """,
            "reads a pipe nobody writes": "r, w = os.pipe(); os.read(r, 1)",
        },
    ),
    Attack(
        62,
        "timer storms",
        ERROR | TIME,
        {
            "setitimer": """
                import signal
                signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
                while 1: pass
            """,
            "setitimer handled": """
                import signal
                signal.signal(signal.SIGALRM, lambda *_: None)
                signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
                while 1: pass
            """,
            "alarm": "import signal; signal.alarm(1); signal.pause()",
            "timer_create": """
                timer = ctypes.c_int()
                escaped(call("timer_create", 0, 0, ctypes.addressof(timer)))
            """,
        },
    ),
    Attack(
        63,
        "hard to compile",
        UNCOMPILED,
        {
            "parentheses": "(" * 100_000 + ")" * 100_000,
            "brackets": "[" * 100_000,
            "integer literal": "x = " + "9" * 5_000_000,
            "hexadecimal, then decimal": "x = 0x" + "f" * 100_000 + "\ny = " + "9" * 100_000,
            "operators": "not " * 100_000 + "1",
            "lambda": "lambda: " * 100_000 + "1",
            "blocks": "\n".join(" " * i + "if 1:" for i in range(1000)),
        },
    ),
    Attack(
        63,
        "hard to compile, but Python can",
        ACCEPTED,
        {
            "f-string": "x = 1\nf'" + "{x}" * 5_000 + "'\nprint(42)",
            "long line": "x = [" + "1," * 100_000 + "]\nprint(42)",
            "hexadecimal literal": "x = 0x" + "f" * 1_000_000 + "\nprint(42)",
        },
        limits=replace(LIMITS, compile_time_s=10, memory_mib=512),
    ),
    Attack(
        64,
        "odd encodings, no Python",
        UNCOMPILED,
        {
            "NUL": b"print(42)\0",
            "invalid UTF-8": b"print('\xff\xfe')",
            "unknown coding": b"# coding: nonsense\nprint(42)",
            "coding that is no text": b"# coding: base64\nprint(42)",
            "rot13": b"# coding: rot13\ncevag(42)",
            "idna": b"# coding: idna\nprint('" + b"\xc3\xa4" * 100 + b"')",
            "UTF-16": "print(42)".encode("utf-16"),
            "BOM against its cookie": b"\xef\xbb\xbf# coding: latin-1\nprint(42)",
        },
    ),
    Attack(
        64,
        "odd encodings, Python",
        ACCEPTED,
        {
            "utf-7": b"# coding: utf-7\nprint(42)",
            "latin-1": b"# coding: latin-1\nx = '\xff'\nprint(42)",
            "BOM": b"\xef\xbb\xbfprint(42)",
            "lone CR": b"x = 42\rprint(x)\r",
        },
    ),
    Attack(
        65,
        "16 MB of code",
        UNCOMPILED,
        {"": "x = 1\n" * (16_000_000 // 6)},
    ),
    Attack(
        65,
        "nothing to run",
        WRONG,
        {
            "empty": b"",
            "comments": b"# nothing\n" * 1000,
            "16 MB of comments": b"# x\n" * 4_000_000,
        },
    ),
    Attack(
        70,
        "output for a lenient comparison",
        WRONG,
        {
            "all answers": "print(*range(1000))",
            "nan": "print('nan')",
            "inf": "print('inf')",
            "1e400": "print('1e400')",
            "huge exponent": "print('1e999999999')",
            "hexadecimal": "print('0x2A')",
            "underscore": "print('4_2')",
            "Arabic digits": "print('\u0664\u0662')",
            "no-break space": "print('42\u00a0')",
            "10^6 digits": "print('42.' + '0' * 1_000_000)",
            "fraction": "print('84/2')",
        },
        limits=replace(LIMITS, output_bytes=4 << 20),
    ),
    Attack(
        71,
        "white space",
        ACCEPTED,
        {
            "trailing blanks": r"print('42  \n\n  ')",
            "CRLF": r"os.write(1, b'42\r\n')",
            "no newline": "print(42, end='')",
            "form feeds and tabs": r"print('\f\t42\v')",
        },
    ),
    Attack(
        72,
        "ten million tokens",
        OUTPUT,
        {"": "os.write(1, b'1 ' * 10**7)"},
    ),
)

ELSEWHERE = {  # number -> what it is, and the test that shows it is taken care of
    66: (
        "leaking bits of hidden tests through times: an agent is told no times",
        "tests/test_env.py::test_hidden_tests_show_in_nothing_an_agent_or_a_log_can_see",
    ),
    67: (
        "printing hidden input on stderr: neither is sent back for hidden tests",
        "tests/judge/test_judge.py::test_only_pools_that_may_be_shown_send_output_back",
    ),
    68: (
        "leaking through the kind of verdict: of hidden tests an agent learns pass or fail only",
        "tests/test_env.py::"
        "test_program_that_passes_public_tests_only_ends_the_episode_with_reward_minus_one",
    ),
    69: (
        "hard-coded public outputs: the hidden pools decide",
        "tests/judge/test_judge.py::"
        "test_pools_are_judged_in_order_and_later_ones_only_when_earlier_ones_passed",
    ),
    73: ("timing what a neighbouring worker does: an accepted risk, stated in docs/sandbox.md", ""),
}

CASES = [
    pytest.param(attack, name, id=f"attack {attack.number}: {attack.title}{name and f' ({name})'}")
    for attack in ATTACKS
    for name in attack.programs
]


@pytest.mark.parametrize(("attack", "name"), CASES)
def test_attack(jail: Sandbox, attack: Attack, name: str) -> None:
    if attack.needs and os.uname().machine != attack.needs:
        pytest.skip(f"written for {attack.needs}")
    source = attack.programs[name]
    if isinstance(source, str) and Verdict.COMPILE_ERROR not in attack.verdicts:
        source = with_prelude(source)
    checker = Comparison(tolerance=1e-6 if attack.number == 70 else None)
    with leaving_nothing_behind(jail):
        verdict, run = judge_program(jail, source, STDIN, EXPECTED, attack.limits, checker)
        assert verdict in attack.verdicts, about(run)
        check_run(run, attack.limits)
        if verdict is Verdict.RUNTIME_ERROR and run.exit_code == 1:
            last_line = run.stderr.decode().rstrip().rpartition("\n")[2]
            assert re.search(attack.error, last_line), about(run)


def with_prelude(source: str) -> str:
    """The program with what attacks have at hand."""
    machine = os.uname().machine
    numbers = system_calls.MACHINES[machine].numbers | EXTRA_CALLS[machine]
    return PRELUDE.replace("{numbers}", repr(numbers)) + textwrap.dedent(source)


def check_run(run: RunResult, limits: Limits = LIMITS) -> None:
    """What holds after every attack."""
    assert b"ESCAPED" not in run.stdout + run.stderr, about(run)
    assert SECRET.encode() not in run.stdout + run.stderr
    assert run.cpu_time_s <= limits.cpu_time_s + 1, about(run)
    assert len(run.stdout) <= limits.output_bytes
    assert len(run.stderr) <= STDERR_KEPT_BYTES + len("\n...\n")
    assert run.peak_memory_mib < limits.memory_mib + 600


# --- Attacks that need more than one program -----------------------------------------------------


@pytest.fixture
def markers(jail: Sandbox) -> dict[str, bytes]:
    """Texts that only an earlier submission has had: in its source, its input and its output."""
    marks = {
        kind: f"{kind}-{secrets.token_hex(8)}".encode() for kind in ("code", "input", "output")
    }
    source = f"""
# {marks["code"].decode()}
text = "{marks["code"].decode()}" + " once more"
numbers = [text + str(i) for i in range(1000)]
{marks["code"].decode().replace("-", "_")} = input()
print("{marks["output"].decode()}", *numbers)
"""
    runs = run_all(jail, source, [marks["input"] + b"\n" * 1000] * 3)
    assert [run.exit_code for run in runs] == [0] * 3, about(runs[0])
    return marks


def halves(text: bytes) -> str:
    """An expression by which a program can look for ``text`` without ever holding it."""
    middle = len(text) // 2
    return repr((text[:middle], text[middle:]))


CONTAINS = """
def contains(data, first, second):
    return any(part.startswith(second) for part in data.split(first)[1:])
"""


def test_attack_34_objects_of_earlier_programs_and_other_tests(jail, markers) -> None:
    source = f"""
import gc, sys
{CONTAINS}
def search(todo):
    found, seen = set(), {{id(wanted)}}
    while todo:
        x = todo.pop()
        if id(x) in seen: continue
        seen.add(id(x))
        if isinstance(x, (str, bytes, bytearray)):
            data = x.encode("utf-8", "replace") if isinstance(x, str) else x
            found |= {{kind for kind in wanted if contains(data, *wanted[kind])}}
        elif x is not todo and x is not found and x is not seen:
            todo += gc.get_referents(x)
    return found, len(seen) > 1000

wanted = {{{", ".join(f"{kind!r}: {halves(mark)}" for kind, mark in markers.items())}}}
wanted["other input"] = {halves(b"other-input")}
wanted["own"] = {halves(b"own-text-to-be-found")}
kept = [{{"key": b"".join(wanted["own"])}}]
todo = [sys.modules, globals(), *gc.get_objects()]
frame = sys._getframe()
while frame is not None:
    todo += [frame.f_locals, frame.f_globals, frame.f_code]
    frame = frame.f_back
print(*search(todo))
"""
    limits = replace(LIMITS, cpu_time_s=10, memory_mib=512)
    with leaving_nothing_behind(jail):
        for run in run_all(jail, source, [b"other-input\n" * 100, b"x"], limits):
            assert run.stdout == b"{'own'} True\n", about(run)


def test_attack_35_scan_of_memory_for_earlier_programs(jail, markers) -> None:
    """Pages next to known ones are found by write(2), which says EFAULT where there are none."""
    source = f"""
import ctypes, gc, os
{CONTAINS}
wanted = {{{", ".join(f"{kind!r}: {halves(mark)}" for kind, mark in markers.items())}}}
wanted["own"] = {halves(b"own-text-to-be-found")}
kept = b"".join(wanted["own"]) * 1000
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
PAGE, CHUNK = 4096, 65536
read_end, write_end = os.pipe()

def read(address):
    got = libc.write(write_end, address, PAGE)
    return os.read(read_end, got) if got > 0 else b""

starts = {{id(x) for x in gc.get_objects()}} | {{id(kept), libc.sbrk(0) - 1}}
starts |= {{libc.malloc(1 << n) for n in range(4, 20)}}
starts |= {{ctypes.addressof(ctypes.c_int()), ctypes.cast(libc.malloc, ctypes.c_void_p).value}}
found, num_pages, known = set(), 0, set()
for start in sorted(starts):
    for step in (CHUNK, -CHUNK):
        at = start // CHUNK * CHUNK - (step < 0) * CHUNK
        while at not in known:
            known.add(at)
            data = b"".join([read(at + offset) for offset in range(0, CHUNK, PAGE)])
            if not data: break
            num_pages += len(data) // PAGE
            found |= {{kind for kind in wanted if contains(data, *wanted[kind])}}
            at += step
print(found, num_pages > 1000)
"""
    limits = replace(LIMITS, cpu_time_s=10, memory_mib=512)
    with leaving_nothing_behind(jail):
        run = run_program(jail, source, STDIN, limits)
        assert run.stdout == b"{'own'} True\n", about(run)


def test_attack_36_environment_variables(jail) -> None:
    source = "import os\nfor key in sorted(os.environ): print(key, os.environ[key])"
    with leaving_nothing_behind(jail):
        run = run_program(jail, source)
        check_run(run)
        lines = dict(line.split(" ", 1) for line in run.stdout.decode().splitlines())
        assert lines.pop("PWD", "/") == "/"
        assert lines == dict(ENVIRONMENT)
        raw = run_program(
            jail,
            "import ctypes\nStrings = ctypes.POINTER(ctypes.c_char_p)\n"
            "environ = Strings.in_dll(ctypes.CDLL(None), 'environ')\n"
            "i = 0\nwhile environ[i]:\n    print(environ[i])\n    i += 1",
        )
        check_run(raw)
        assert len(raw.stdout.splitlines()) - len(lines) in (0, 1)


def test_attack_41_builtins_replaced(jail) -> None:
    source = with_prelude("""
        import builtins
        names = ("print", "exec", "compile", "open", "input", "__import__", "len")
        if any("bad" in vars(builtins) or getattr(builtins, name).__module__ == "__main__"
               for name in names):
            escaped()
        write = sys.stdout.write
        def bad(*a, **k): return "41"
        for name in names:
            setattr(builtins, name, bad)
        builtins.bad = bad
        write("42\\n")
        sys.stdout.flush()
        class Liar:
            closed = False
            def write(self, text): pass
            def flush(self): pass
        sys.stdout = sys.__stdout__ = Liar()
        sys.exit = sys.excepthook = bad
    """)
    with leaving_nothing_behind(jail):
        runs = run_all(jail, source, [STDIN] * 4)
        assert [judge_run(run, EXPECTED) for run in runs] == [Verdict.ACCEPTED] * 4, about(runs[-1])
        for run in runs:
            check_run(run)


WAYS_BACK = {
    "an exception once the program has ended": """
        def profile(frame, event, argument, sys=sys):
            if event == "return" and frame.f_code.co_name == "run":
                sys.setprofile(None)
                raise ValueError
        sys.setprofile(profile)
    """,
    "the same, and nothing ends the process": """
        def profile(frame, event, argument, sys=sys):
            if event == "return" and frame.f_code.co_name == "run":
                sys.setprofile(None)
                raise ValueError
        os._exit = lambda status: None
        sys.excepthook = lambda *_: None
        sys.setprofile(profile)
    """,
    "every function of the sandbox called": """
        for module in list(sys.modules.values()):
            if "codefeedback" in module.__name__:
                for thing in list(vars(module).values()):
                    for arguments in ((), (REPORT,), (3, "", None), (3, "", None, None)):
                        try:
                            thing(*arguments)
                        except BaseException:
                            pass
    """,
    "a message through whatever the frames hold": """
        frame = sys._getframe()
        while frame is not None:
            for thing in [*frame.f_locals.values(), *frame.f_globals.values()]:
                for name in ("send", "sendmsg", "sendall") * (not isinstance(thing, ctypes.CDLL)):
                    try:
                        escaped(getattr(thing, name)(REPORT))
                    except Exception:
                        pass
            frame = frame.f_back
    """,
}


@pytest.mark.parametrize("way", WAYS_BACK)
def test_attack_42_program_goes_on_in_the_sandboxs_own_code(jail, way: str) -> None:
    back = textwrap.dedent(WAYS_BACK[way])
    source = with_prelude(f"REPORT = {forged_report()!r}\nprint(41, flush=True)\n{back}")
    with leaving_nothing_behind(jail):
        runs = run_all(jail, source, [STDIN] * 4)
        assert len(runs) == 4
        for run in runs:
            assert judge_run(run, EXPECTED) in WRONG | ERROR | TIME | VIOLATION, about(run)
            check_run(run)


def forged_report() -> bytes:
    return wire.REPORT.pack(wire.RUNNING, wire.ENDED, 0, 0.001, 0.001, 10.0)


FORGERIES = {
    "through its object": """
        import gc
        try:
            import _socket
        except ImportError:
            sys.exit(1)
        for x in gc.get_objects():
            if isinstance(x, _socket.socket):
                for send in (x.send, lambda data: x.sendmsg([data])):
                    try:
                        escaped(send(REPORT))
                    except OSError:
                        pass
    """,
    "through its number": """
        import _socket
        for fd in range(3, 1024):
            try:
                escaped(fd, os.write(fd, REPORT))
            except OSError as error:
                if error.errno != 9: escaped(fd, error)
    """,
    "through stdout": "os.write(1, REPORT * 10); os.write(2, REPORT * 10)",
}


@pytest.mark.parametrize("way", FORGERIES)
def test_attack_43_forged_result(jail, way: str) -> None:
    forgery = f"REPORT = {forged_report()!r}\n" + textwrap.dedent(FORGERIES[way])
    source = with_prelude(forgery + "\nprint(41)")
    with leaving_nothing_behind(jail):
        runs = run_all(jail, source, [STDIN] * 4)
        assert [judge_run(run, EXPECTED) for run in runs] == [Verdict.WRONG_ANSWER] * 4
        for run in runs:
            check_run(run)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody else's server on this machine."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        yield server


CONNECTIONS = {
    "to a neighbour": "socket.create_connection(('127.0.0.1', PORT), 1)",
    "to the internet": "socket.create_connection(('192.0.2.1', 80), 1)",
    "name server": "socket.getaddrinfo('example.com', 80)",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:%d' % PORT)",
}


@pytest.mark.parametrize("way", CONNECTIONS)
def test_attack_54_connections(jail, listener: socket.socket, way: str) -> None:
    port = listener.getsockname()[1]
    source = with_prelude(f"import socket\nPORT = {port}\n{CONNECTIONS[way]}\nescaped()")
    with leaving_nothing_behind(jail):
        verdict, run = judge_program(jail, source, STDIN, EXPECTED, replace(LIMITS, cpu_time_s=3))
        assert verdict is Verdict.RUNTIME_ERROR, about(run)
        assert re.search(rb"PermissionError|gaierror|URLError", run.stderr), about(run)
        check_run(run)
        with pytest.raises(BlockingIOError):
            listener.accept()


CHANGES_OF_STDIN = {
    "write": "os.write(0, b'99 99')",
    "pwrite": "os.pwrite(0, b'99 99', 0)",
    "truncate": "os.ftruncate(0, 1)",
    "reopened": "open('/dev/stdin', 'r+b', buffering=0).write(b'99 99')",
    "reopened through /proc": "open('/proc/self/fd/0', 'wb', buffering=0).write(b'99 99')",
    "shared memory": """
        import mmap
        mmap.mmap(0, 5, flags=mmap.MAP_SHARED, prot=mmap.PROT_WRITE)[:5] = b"99 99"
    """,
    "mprotect": """
        import mmap
        m = mmap.mmap(0, 5, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 5
        at = libc.mmap(None, 4096, 1, 1, 0, 0)
        check(libc.mprotect(ctypes.c_void_p(at), 4096, 3))
        ctypes.memset(at, 57, 5)
    """,
    "further seals": "import fcntl; fcntl.fcntl(0, fcntl.F_ADD_SEALS, 15)",
    "fallocate": "os.posix_fallocate(0, 0, 1 << 20)",
    "chmod": "os.fchmod(0, 0o777)",
}


@pytest.mark.parametrize("way", CHANGES_OF_STDIN)
def test_attack_57_change_of_the_input(jail, way: str) -> None:
    source = with_prelude(textwrap.dedent(CHANGES_OF_STDIN[way]) + "\nescaped()")
    file = InputFile(STDIN)
    with leaving_nothing_behind(jail):
        for run in jail.run(source.encode(), [file, file], LIMITS):
            assert judge_run(run, EXPECTED) is Verdict.RUNTIME_ERROR, about(run)
            error = r"OSError|ValueError|UnsupportedOperation|FileNotFoundError|PermissionError"
            assert re.search(error, run.stderr.decode().rstrip().rpartition("\n")[2]), about(run)
            check_run(run)
        (after,) = jail.run(b"print(open(0).read(), end='')", [file], LIMITS)
        assert after.stdout == STDIN
        file.close()


def test_attack_58_writes_after_the_end(jail) -> None:
    source = with_prelude("""
        import threading
        def write():
            while True:
                os.write(1, b"x")
        os.write(1, b"42\\n")
        for _ in range(8):
            threading.Thread(target=write, daemon=True).start()
    """)
    with leaving_nothing_behind(jail):
        for run in run_all(jail, source, [STDIN] * 4):
            verdict = judge_run(run, EXPECTED)
            assert verdict in WRONG | OUTPUT | ACCEPTED, about(run)
            assert (verdict is Verdict.ACCEPTED) == (run.stdout == b"42\n")
            assert run.stdout.startswith(b"42\n")
            check_run(run)


READERS = {
    "read past its end": "x = sys.stdin.read(); assert sys.stdin.read() == ''; print(len(x))",
    "read as bytes": "import mmap; print(len(sys.stdin.buffer.read()))",
    "read by chunks": "n = 0\nwhile x := os.read(0, 1 << 20): n += len(x)\nprint(n)",
    "never read": "print(64 << 20)",
}


@pytest.mark.parametrize("way", READERS)
def test_attack_60_input_of_64_mb(jail, way: str) -> None:
    stdin = b"20 22 \n\n" * (8 << 20)
    limits = replace(LIMITS, cpu_time_s=5, memory_mib=512)
    with leaving_nothing_behind(jail):
        verdict, run = judge_program(jail, with_prelude(READERS[way]), stdin, b"67108864", limits)
        assert verdict is Verdict.ACCEPTED, about(run)


def test_comparison_of_millions_of_tokens_takes_bounded_time_and_memory() -> None:
    output = b"11 " * 3_000_000
    tracemalloc.start()
    start = time.monotonic()
    assert not Comparison(tolerance=1e-6)(STDIN, EXPECTED, output)
    duration_s = time.monotonic() - start
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert duration_s < 10
    assert peak_bytes < 4 * len(output)


def test_attack_74_hash_seeds_and_random_state(jail) -> None:
    source = """
import random
print(hash("abc"), list({"a", "b", "c", "d", "e"}), random.random(), [*map(hash, "xyz")])
random.seed(int(input()))
"""
    stdouts = set()
    for _ in range(2):
        with leaving_nothing_behind(jail):
            stdouts |= {run.stdout for run in run_all(jail, source, [b"1", b"2", b"3"])}
        jail.close()
        run_program(jail, "print(42)")
    assert len(stdouts) == 1, stdouts


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_attack_75_the_sandboxs_own_processes_are_killed(jail, distance: int) -> None:
    """Those between us and the program; the program's own death would be its own verdict."""
    jail.close()
    others = jail_processes()
    run_program(jail, "print(42)")
    before = jail_processes()
    file = InputFile(STDIN)
    limits = Limits(cpu_time_s=1000, memory_mib=128)
    runs = jail.run(b"import time\ntime.sleep(500)", [file], limits)
    with ThreadPoolExecutor(1) as executor:
        results = executor.submit(list, runs)
        chain = wait_for_program(before)
        if distance < len(chain):
            os.kill(chain[distance], signal.SIGKILL)
        else:
            os.kill(chain[0], signal.SIGKILL)
            os.kill(chain[-1], signal.SIGKILL)
        error = results.exception(timeout=60)
    jail.close()
    file.close()
    if distance >= len(chain):
        pytest.skip("this sandbox has fewer processes between us and a program")
    assert isinstance(error, SandboxError), error
    assert wait_until(lambda: jail_processes() <= others)
    assert run_program(jail, "print(42)").stdout == b"42\n"


def wait_for_program(before: frozenset[int]) -> list[int]:
    """A sleeping program, its parent, and so on up to the process this one has started."""
    chain: list[int] = []
    num_equal_looks = 0

    def has_settled() -> bool:
        nonlocal chain, num_equal_looks
        leaves = [pid for pid in jail_processes() - before if not children_of(pid)]
        now = leaves[:1]
        while now and (parent := parent_of(now[-1])) not in (0, os.getpid()):
            now.append(parent)
        num_equal_looks = num_equal_looks + 1 if len(now) > 1 and now == chain else 0
        chain = now
        return num_equal_looks == 30

    assert wait_until(has_settled, 60)
    return chain


# --- The catalogue -------------------------------------------------------------------------------


def test_every_line_of_the_catalogue_is_in_one_place() -> None:
    functions = {
        int(match[1]) for name in globals() if (match := re.match(r"test_attack_(\d+)_", name))
    }
    places = Counter([*{attack.number for attack in ATTACKS}, *functions, *ELSEWHERE])
    assert places == Counter(range(1, HIGHEST_NUMBER + 1))


def test_every_program_of_the_catalogue_has_a_name_of_its_own() -> None:
    assert max(Counter(case.id for case in CASES).values()) == 1


@pytest.mark.parametrize("number", [number for number, (_, test) in ELSEWHERE.items() if test])
def test_the_test_named_elsewhere_exists(number: int) -> None:
    path, _, name = ELSEWHERE[number][1].partition("::")
    assert f"def {name}(" in (CHECKOUT / path).read_text()


def test_every_confining_sandbox_filters_system_calls(jail) -> None:
    assert jail.filters_system_calls
