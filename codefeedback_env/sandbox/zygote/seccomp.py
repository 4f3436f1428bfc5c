"""Inside the jail: which system calls a program may make, as seccomp-BPF filters.

Three policies, all built from the tables below:

* ``leader_filter``: for the process that compiles one submission and forks its test children;
* ``program_filter``: a few instructions a test child adds, to take away what only the leader needs.
  It allows what it does not name, so it is nothing without the leader's filter under it;
* ``one_shot_filter``: both at once, for a jail that runs one program.

A call that a policy does not name fails with EPERM, so that odd but honest code gets an exception.
A call that no honest program makes ends the process with SIGSYS, which the judge reports. Calls
newer than the tables fail with ENOSYS, on which a newer libc falls back to older ones.

Not covered: pointers (a filter sees numbers only, so no paths), and bugs in the calls allowed.
"""

import ctypes
import errno
import os
import struct
import sys

from codefeedback_env.sandbox.zygote.system_calls import MACHINES, Machine

# --- System calls by purpose ---------------------------------------------------------------------

_FILES = """read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek ftruncate
close close_range dup dup2 dup3 pipe pipe2"""  # on descriptors the program already has

_LOOK_UPS = """stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat
getdents64 getcwd chdir"""  # imports; chdir because programs go to their own file's folder

_WAITING = """select pselect6 poll ppoll eventfd eventfd2 epoll_create epoll_create1 epoll_ctl
epoll_wait epoll_pwait epoll_pwait2 getsockname"""  # asyncio

_MEMORY = "mmap munmap mremap mprotect madvise brk msync"  # executable memory too: ctypes, JITs

_THREADS = """futex set_robust_list rseq set_tid_address gettid sched_yield sched_getaffinity
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
sched_rr_get_interval getcpu exit exit_group restart_syscall"""

_OWN_SIGNALS = """rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
rt_sigsuspend sigaltstack pause alarm getitimer setitimer"""  # to itself, from timers

_CLOCKS = """time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep times"""

_ABOUT_ITSELF = """getpid getppid getpgid getpgrp getsid getuid geteuid getgid getegid getresuid
getresgid getgroups umask uname sysinfo getrusage getrlimit getpriority getrandom"""

_ALLOWED = " ".join(
    (_FILES, _LOOK_UPS, _WAITING, _MEMORY, _THREADS, _OWN_SIGNALS, _CLOCKS, _ABOUT_ITSELF)
).split()

_OTHER_PROCESSES = "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd"

_KERNEL_MACHINERY = """io_uring_setup io_uring_enter io_uring_register bpf userfaultfd
perf_event_open"""  # each a large attack surface, and io_uring goes around any filter

_KEYRINGS = "add_key request_key keyctl"  # would carry state from one submission to the next

_NAMESPACES_AND_MOUNTS = """unshare setns mount umount2 pivot_root chroot open_by_handle_at
open_tree open_tree_attr move_mount mount_setattr fsopen fsconfig fsmount fspick"""

_MACHINE = """init_module finit_module delete_module kexec_load kexec_file_load reboot swapon
swapoff iopl ioperm modify_ldt"""

_HOSTILE = " ".join(
    (_OTHER_PROCESSES, _KERNEL_MACHINERY, _KEYRINGS, _NAMESPACES_AND_MOUNTS, _MACHINE)
).split()

_CHILDREN = "wait4 kill tgkill pidfd_open pidfd_send_signal"  # the leader's test children

_MESSAGES = "sendmsg recvmsg getsockopt"  # the leader receives tests and reports results

_CONFINEMENT = "prctl seccomp"  # the leader's children confine themselves further

_LEADER_ONLY = " ".join((_CHILDREN, _MESSAGES, _CONFINEMENT)).split()

# --- Arguments -----------------------------------------------------------------------------------

_THREAD_FLAGS = 0x007D0F00
"""VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED."""
_FORK_FLAGS = 0x01200011  # CHILD_SETTID, CHILD_CLEARTID, SIGCHLD: what libc's fork() passes
_CLONE_THREAD = 0x00010000
_IOCTLS = {
    "TCGETS": 0x5401,  # isatty()
    "TCGETS2": 0x802C542A,  # the same in newer libc
    "TIOCGWINSZ": 0x5413,  # os.get_terminal_size()
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,  # os.set_blocking()
    "FIONCLEX": 0x5450,  # os.set_inheritable()
    "FIOCLEX": 0x5451,
}
_FCNTLS = {
    "F_DUPFD": 0,
    "F_GETFD": 1,
    "F_SETFD": 2,
    "F_GETFL": 3,
    "F_DUPFD_CLOEXEC": 1030,
    "F_GETPIPE_SZ": 1032,
}
_F_SETFL = 4
_O_ASYNC = 0x2000  # would send signals
_WRITING_FLAGS = 0x00400243
"""O_ACCMODE, O_CREAT, O_TRUNC, O_TMPFILE: a program finds nothing to write to by name."""
_AF_UNIX = 1
_SOCK_STREAM = 1
_SOCK_FLAGS = 0x00080800  # SOCK_NONBLOCK, SOCK_CLOEXEC
_PRCTLS = {
    "PR_SET_PDEATHSIG": 1,
    "PR_SET_DUMPABLE": 4,
    "PR_SET_NAME": 15,
    "PR_GET_NAME": 16,
    "PR_SET_NO_NEW_PRIVS": 38,
}
_RLIMIT_STACK = 3
_SECCOMP_SET_MODE_FILTER = 1
_FIRST_X32_NUMBER = 0x40000000
_OWN_PID = 0x7FFFFFFF  # stands for the installing process's id; no process can have this one

# --- Decisions -----------------------------------------------------------------------------------

ALLOW = 0x7FFF0000
KILL = 0x80000000
EPERM = 0x00050001
ENOSYS = 0x00050026
"""What the kernel does about a call; EPERM and ENOSYS as the call's error."""

_LOAD, _RETURN, _GO = 0x20, 0x06, 0x05
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_NOTHING = -1


def _argument(index: int) -> int:
    """Offset of the low half of an argument; the kernel itself ignores the high half of an int."""
    return 16 + 8 * index


class Comparison:
    """One comparison of a 32-bit word of the call, and what follows from it."""

    __slots__ = ("comparison", "otherwise", "then", "value", "word")

    def __init__(
        self,
        word: int,
        comparison: int,
        value: int,
        then: "int | Comparison",
        otherwise: "int | Comparison",
    ) -> None:
        """``word`` is an offset in struct seccomp_data, ``comparison`` a BPF jump's code."""
        self.word = word
        self.comparison = comparison
        self.value = value
        self.then = then
        self.otherwise = otherwise


Decision = int | Comparison


def _if_one_of(word: int, values: "list[int]", otherwise: Decision = EPERM) -> Decision:
    for value in reversed(values):
        otherwise = Comparison(word, _EQUAL, value, ALLOW, otherwise)
    return otherwise


def _if_no_bit_of(word: int, bits: int, then: Decision = ALLOW) -> Decision:
    return Comparison(word, _ANY_BIT, bits, EPERM, then)


def _and_then(first: Decision, second: Decision) -> Decision:
    """``second`` has a say wherever ``first`` allows."""
    if isinstance(first, Comparison):
        then, otherwise = _and_then(first.then, second), _and_then(first.otherwise, second)
        return Comparison(first.word, first.comparison, first.value, then, otherwise)
    return second if first == ALLOW else first


# --- Policies ------------------------------------------------------------------------------------


def _leader_rules(machine: Machine) -> dict[str, Decision]:
    set_flags = _if_no_bit_of(_argument(2), _O_ASYNC | machine.o_direct)
    stream_pair = _if_no_bit_of(_argument(1), ~(_SOCK_STREAM | _SOCK_FLAGS) & 0xFFFFFFFF)
    return {
        **dict.fromkeys(_ALLOWED, ALLOW),
        **dict.fromkeys(_LEADER_ONLY, ALLOW),
        **dict.fromkeys(_HOSTILE, KILL),
        "clone": _if_no_bit_of(_argument(0), ~(_THREAD_FLAGS | _FORK_FLAGS) & 0xFFFFFFFF),
        "clone3": ENOSYS,  # its flags are behind a pointer; libc falls back to clone
        "open": _if_no_bit_of(_argument(1), _WRITING_FLAGS),
        "openat": _if_no_bit_of(_argument(2), _WRITING_FLAGS),
        "ioctl": _if_one_of(_argument(1), list(_IOCTLS.values())),
        "fcntl": _if_one_of(
            _argument(1),
            list(_FCNTLS.values()),
            Comparison(_argument(1), _EQUAL, _F_SETFL, set_flags, EPERM),
        ),
        # The pair with which asyncio wakes itself; no other socket can come to be. Flags on its use
        # would reach rarely used code of the kernel (MSG_OOB: CVE-2025-38236).
        "socketpair": Comparison(_argument(0), _EQUAL, _AF_UNIX, stream_pair, EPERM),
        "sendto": _if_one_of(_argument(3), [0]),
        "recvfrom": _if_one_of(_argument(3), [0]),
        "sched_setaffinity": _if_one_of(_argument(0), [0]),
        "prlimit64": _if_one_of(_argument(0), [0]),
        "prctl": _if_one_of(_argument(0), list(_PRCTLS.values())),
        "seccomp": _if_one_of(_argument(0), [_SECCOMP_SET_MODE_FILTER]),
    }


def _program_rules() -> dict[str, Decision]:
    to_itself = _if_one_of(_argument(0), [_OWN_PID])
    new_limit = _argument(2)
    reading = _and_then(_if_one_of(new_limit, [0]), _if_one_of(new_limit + 4, [0]))
    return {
        **dict.fromkeys(_LEADER_ONLY, EPERM),
        "kill": to_itself,
        "tgkill": to_itself,
        "clone": Comparison(_argument(0), _ANY_BIT, _CLONE_THREAD, ALLOW, EPERM),
        # Programs enlarge their stack before they recurse deeply.
        "prlimit64": _if_one_of(_argument(1), [_RLIMIT_STACK], reading),
    }


def _one_shot_rules(machine: Machine) -> dict[str, Decision]:
    program = _program_rules()
    return {
        name: _and_then(rule, program.get(name, ALLOW))
        for name, rule in _leader_rules(machine).items()
    }


def leader_filter(machine: str | None = None) -> bytes:
    """The filter of the process that compiles a submission and forks its test children.

    Args:
        machine: processor as ``os.uname().machine`` names it; None for this one.

    Returns:
        An array of struct sock_filter, to be given to Filter.

    Raises:
        SeccompUnavailableError: there is no table for this processor.
    """
    known = _find_machine(machine)
    return _assemble(_confining(known, _leader_rules(known)))


def one_shot_filter(machine: str | None = None) -> bytes:
    """The whole filter of a program with a jail of its own; see ``leader_filter``."""
    known = _find_machine(machine)
    return _assemble(_confining(known, _one_shot_rules(known)))


def program_filter(machine: str | None = None) -> bytes:
    """What a test child adds to the leader's filter; see ``leader_filter``."""
    rules = _by_number(_find_machine(machine), _program_rules())
    decision: Decision = ALLOW
    for number in sorted(rules, reverse=True):
        decision = Comparison(_NUMBER, _EQUAL, number, rules[number], decision)
    return _assemble(decision)


def _confining(machine: Machine, rules: dict[str, Decision]) -> Decision:
    """The decision about any call, of this processor or not."""
    numbered = _by_number(machine, rules)
    steps: list[tuple[int, Decision]] = []  # (first number, decision from there on)
    for number in range(max(numbered) + 1):
        decision = numbered.get(number, EPERM)
        if not steps or steps[-1][1] != decision:
            steps.append((number, decision))
    steps.append((max(numbered) + 1, ENOSYS))
    if machine.has_x32:
        steps.append((_FIRST_X32_NUMBER, KILL))
    return Comparison(_ARCH, _EQUAL, machine.audit_arch, _search(steps), KILL)


def _by_number(machine: Machine, rules: dict[str, Decision]) -> dict[int, Decision]:
    """Without the calls that this processor never had."""
    numbers = machine.numbers
    return {numbers[name]: rule for name, rule in rules.items() if name in numbers}


def _search(steps: list[tuple[int, Decision]]) -> Decision:
    """A balanced search for the last step that does not lie above the call's number."""
    if len(steps) == 1:
        return steps[0][1]
    middle = len(steps) // 2
    return Comparison(
        _NUMBER, _AT_LEAST, steps[middle][0], _search(steps[middle:]), _search(steps[:middle])
    )


def _find_machine(name: str | None) -> Machine:
    if name is None:
        name = os.uname().machine
        if sys.maxsize < 1 << 32:
            raise SeccompUnavailableError(
                "this Python is a 32-bit program, whose system calls no table here lists; use a "
                "64-bit one."
            )
    if name not in MACHINES:
        raise SeccompUnavailableError(
            f"no table of system calls for processor {name!r}; there are {', '.join(MACHINES)}."
        )
    return MACHINES[name]


# --- Instructions --------------------------------------------------------------------------------


class _Assembler:
    """Lays out a decision from its last instruction to its first, since BPF only jumps forward."""

    _FARTHEST_JUMP = 255

    def __init__(self) -> None:
        self._backwards: list[bytes] = []
        self._places: dict[tuple[bool, Decision, int], int] = {}

    def assemble(self, decision: Decision) -> bytes:
        self._place(decision, _NOTHING)
        return b"".join(reversed(self._backwards))

    def _place(self, decision: Decision, loaded: int) -> int:
        """Where ``decision`` starts, counted from the end; ``loaded`` is the word at hand there."""
        fixed = isinstance(decision, int)
        key = (fixed, decision if fixed else id(decision), _NOTHING if fixed else loaded)
        place = self._places.get(key)
        if place is None or self._distance(place) >= self._FARTHEST_JUMP:
            place = self._places[key] = self._lay_out(decision, loaded)
        return place

    def _lay_out(self, decision: Decision, loaded: int) -> int:
        if isinstance(decision, int):
            return self._add(_RETURN, 0, 0, decision)
        then = self._place(decision.then, decision.word)
        otherwise = self._place(decision.otherwise, decision.word)
        then = self._bring_near(then)
        otherwise = self._bring_near(otherwise)
        to_then, to_otherwise = self._distance(then), self._distance(otherwise)
        place = self._add(decision.comparison, to_then, to_otherwise, decision.value)
        if decision.word != loaded:
            place = self._add(_LOAD, 0, 0, decision.word)
        return place

    def _bring_near(self, place: int) -> int:
        """``place``, or a jump to it that a comparison after the next instruction can reach."""
        if self._distance(place) < self._FARTHEST_JUMP:
            return place
        return self._add(_GO, 0, 0, self._distance(place))

    def _distance(self, place: int) -> int:
        """Instructions between the next one added and ``place``."""
        return len(self._backwards) - place - 1

    def _add(self, code: int, if_true: int, if_false: int, value: int) -> int:
        self._backwards.append(struct.pack("=HBBI", code, if_true, if_false, value))
        return len(self._backwards) - 1


def _assemble(decision: Decision) -> bytes:
    return _Assembler().assemble(decision)


# --- Installation --------------------------------------------------------------------------------

_FLAG_ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC
_FLAG_SPEC_ALLOW = 4  # the kernel's default since 5.16: no mitigations that slow the whole program
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall  # without argtypes: a forked child pays for each conversion's memory
_quick_syscall = ctypes.CDLL(None).syscall  # the same, which does not look after errno
_getpid = os.getpid


class SeccompUnavailableError(Exception):
    """This processor or kernel has no system call filters that we can use."""


class Filter:
    """A filter laid out for the kernel beforehand, so that a forked child installs it quickly.

    What a child touches for the first time costs it a page fault of 2 us; hence one prepared call.
    """

    __slots__ = ("_buffers", "_call", "_call_for_all_threads", "_own_pid")

    def __init__(self, instructions: bytes) -> None:
        """Prepare ``instructions``, which one of the functions here built for this machine."""
        number = _find_machine(None).numbers["seccomp"]
        buffer = ctypes.create_string_buffer(instructions, len(instructions))
        address = ctypes.addressof(buffer)
        program = struct.pack("@HP", len(instructions) // 8, address)  # struct sock_fprog
        program_buffer = ctypes.create_string_buffer(program, len(program))
        self._buffers = (buffer, program_buffer)
        pointer = ctypes.byref(program_buffer)
        self._call = (number, _SECCOMP_SET_MODE_FILTER, _FLAG_SPEC_ALLOW, pointer)
        flags = _FLAG_SPEC_ALLOW | _FLAG_ALL_THREADS
        self._call_for_all_threads = (number, _SECCOMP_SET_MODE_FILTER, flags, pointer)
        words = memoryview(buffer).cast("B").cast("I")
        places = [place for place in range(1, len(words), 2) if words[place] == _OWN_PID]
        self._own_pid = words[places[0] :][:1] if places else None

    def install(self, all_threads: bool = False) -> None:
        """Confine the calling thread and all it will start, for good.

        Quicker where this process, or one it was forked from, has called no_new_privileges.

        Args:
            all_threads: confine the process's other threads too.

        Raises:
            SeccompUnavailableError: the kernel refuses the filter.
        """
        if self._own_pid is not None:
            self._own_pid[0] = _getpid()
        call = self._call_for_all_threads if all_threads else self._call
        if not _quick_syscall(*call):
            return
        result = _syscall(*call)
        if result < 0 and ctypes.get_errno() == errno.EACCES:
            no_new_privileges()
            result = _syscall(*call)
        if result > 0:
            raise SeccompUnavailableError(
                f"thread {result} has system call filters of its own; start it after the filter."
            )
        if result < 0:
            reason = os.strerror(ctypes.get_errno())
            raise SeccompUnavailableError(f"the kernel refuses a system call filter: {reason}.")


def no_new_privileges() -> None:
    """Give up gaining privileges by running a file, for good: what installing a filter asks for."""
    _set_process_option(_PR_SET_NO_NEW_PRIVS, 1)


def set_not_dumpable() -> None:
    """Keep processes of the same user from attaching to this one and its children."""
    _set_process_option(_PR_SET_DUMPABLE, 0)


def _set_process_option(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")
