"""Inside the jail: how a process gets ready for, and then becomes, the submitted program.

Everything here is trusted up to ``run``; from the first line of the program on, nothing in the
process is, this module's own code included.
"""

import _signal
import _sitebuiltins
import _thread
import builtins
import os
import resource
import sys
import types
from collections.abc import Callable

FILE_NAME = "solution.py"
MEMORY_SLACK_MIB = 256  # address space that is reserved but not used, such as stacks of threads
STACK_BYTES = 256 << 20
THREAD_STACK_BYTES = 8 << 20
NUM_FILES = 128
RANDOM_SEED = 0  # programs that do not seed get the same numbers, hence verdicts, in every run

_PRELOADED = """
abc array bisect calendar cmath collections collections.abc contextlib copy dataclasses datetime
decimal enum fractions functools heapq io itertools math numbers operator queue random re statistics
string struct textwrap threading time types typing
"""
PRELOADED = frozenset(_PRELOADED.split())
"""Modules that are imported once for all tests of a program that mentions them."""

Run = Callable[[types.CodeType, dict[str, object]], int]
"""Runs code in a namespace; returns the exit status."""

_STREAM_NAMES = {f"/dev/{name}": fd for fd, name in enumerate(("stdin", "stdout", "stderr"))}
_STREAM_NAMES |= {f"/dev/fd/{fd}": fd for fd in range(3)}
_STREAM_NAMES |= {f"/proc/self/fd/{fd}": fd for fd in range(3)}


def prepare_interpreter() -> None:
    """What scripts find and a bare interpreter lacks; once, before any program is known.

    Text streams as ``python -X utf8`` makes them for regular files, over descriptors 0 to 2, which
    the test's own files may become later. Only stderr is written line by line.
    """
    for fd, name, mode, buffering, errors in (
        (0, "stdin", "r", -1, "surrogateescape"),
        (1, "stdout", "w", -1, "surrogateescape"),
        (2, "stderr", "w", 1, "backslashreplace"),
    ):
        stream = open(fd, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 - stays open
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in ("quit", "exit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    sys.argv = [FILE_NAME]
    _thread.stack_size(THREAD_STACK_BYTES)  # else every thread reserves the whole main stack
    # Python ignores it, and a write beyond the limit would be an exception the program can catch.
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)


def set_limits(limits: dict[str, float]) -> None:
    """Limit this process and its children; the CPU limit is the compiler's.

    Args:
        limits: compile_time_s, memory_mib, output_bytes, num_processes.
    """
    address_space = (int(limits["memory_mib"]) + MEMORY_SLACK_MIB) << 20
    _lower(resource.RLIMIT_AS, address_space)
    _lower(resource.RLIMIT_FSIZE, int(limits["output_bytes"]))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, NUM_FILES)
    if limits["num_processes"] and hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, int(limits["num_processes"]))
    limit_cpu(limits["compile_time_s"], for_good=False)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard == resource.RLIM_INFINITY or hard >= STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))


def limit_cpu(seconds: float, for_good: bool = True) -> None:
    """A backstop in whole seconds; who supervises measures finely and kills earlier."""
    soft = int(seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft if for_good else hard))


def cpu_used_s() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def compile_source(source: bytes, file_name: str = FILE_NAME) -> types.CodeType:
    """The program's code; raises whatever the compiler raises.

    int() still refuses more than 4300 digits here, which keeps the compilation of literals short.
    """
    if b"/dev/" in source or b"/proc/" in source:
        _let_open_find_the_standard_streams()
    code: types.CodeType = compile(source, file_name, "exec", dont_inherit=True)
    return code


def show_compile_error(error: Exception) -> None:
    """Print a compiler's exception to stderr as Python does for a file that does not compile."""
    error.__traceback__ = None
    sys.excepthook(type(error), error, None)
    sys.stderr.flush()


def import_in_advance(code: types.CodeType, site: str) -> None:
    """Import what the code mentions and every test would import again, on our own time.

    A module that cannot be imported is left alone: the program's own import shows why.

    Args:
        code: looked through for names, not run.
        site: folder with further packages for programs, or "".
    """
    if site:
        sys.path.append(site)
    names = names_in(code)
    wanted = sorted(names & PRELOADED)
    if site and any(name.partition(".")[0] == "numpy" for name in names):
        wanted.append("numpy")
    for name in wanted:
        try:
            __import__(name)
        except Exception:
            sys.modules.pop(name, None)


def random_seeders() -> list[Callable[[], None]]:
    """What gives programs that do not seed the same numbers in every run; to call after a fork."""
    modules = [sys.modules[name] for name in ("random", "numpy.random") if name in sys.modules]
    return [_seeder(module.seed) for module in modules]


def allow_long_integers() -> None:
    """Let int() and str() convert as many digits as programs like, once theirs are compiled."""
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)


def fresh_main() -> dict[str, object]:
    """A new ``__main__`` for compiled code; returns its namespace."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    main.__dict__["__file__"] = FILE_NAME
    return main.__dict__


def run(code: types.CodeType, namespace: dict[str, object]) -> int:
    """Run to the end as ``python solution.py`` does; returns the exit status."""
    status = 0
    try:
        exec(code, namespace)
    except SystemExit as end:
        status = _exit_status(end)
    except BaseException as error:
        status = 1
        show(error)
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
    except BaseException as error:
        show(error)
    try:
        # As at the interpreter's end: streams are flushed, the program's names go, which flushes
        # the files that only they held, and the first streams are flushed once more.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        for name in [*namespace]:  # programs may have replaced list()
            if name != "__builtins__":
                namespace[name] = None
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException:
        status = status or 120  # what Python itself exits with here
    return status


def _let_open_find_the_standard_streams() -> None:
    """There is no /dev in a jail, but ``open("/dev/stdin")`` is honest."""
    true_open = builtins.open

    def open(file, *args, **options):  # type: ignore[no-untyped-def]
        if type(file) is str and file in _STREAM_NAMES:
            file = os.dup(_STREAM_NAMES[file])
        return true_open(file, *args, **options)

    open.__qualname__ = "open"
    builtins.open = open


def names_in(code: types.CodeType) -> set[str]:
    """Every name that code mentions, as a variable or an attribute."""
    names: set[str] = set()
    todo = [code]  # no recursion, since functions may be nested deeper than calls
    while todo:
        part = todo.pop()
        names.update(part.co_names)
        todo += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
    return names


def _seeder(seed: Callable[[int], None]) -> Callable[[], None]:
    return lambda: seed(RANDOM_SEED)


def _lower(kind: int, value: int) -> None:
    """Set a limit, soft and hard, but never above the hard limit in force."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def show(error: BaseException) -> None:
    """Print the traceback without the frame that called exec()."""
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
    sys.excepthook(type(error), error, error.__traceback__)


def _exit_status(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        fits_in_a_long = -(1 << 63) <= end.code < 1 << 63
        return end.code & 0xFF if fits_in_a_long else 0xFF  # Python's -1 where it does not
    print(end.code, file=sys.stderr)
    return 1
