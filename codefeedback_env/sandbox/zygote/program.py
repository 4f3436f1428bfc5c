"""Inside the jail: a forked child becomes the submitted program.

Up to ``begin`` everything here is trusted; from the first line of the program on, nothing in this
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
MEMORY_SLACK_MIB = 512  # address space that is reserved but not used, such as stacks of threads
STACK_BYTES = 256 << 20
THREAD_STACK_BYTES = 8 << 20
NUM_FILES = 64


def become_program(
    source: bytes,
    streams: tuple[int, int, int],
    limits: dict[str, float],
    site: str,
    begin: Callable[[bool], None],
) -> None:
    """Compile and run ``source`` in this process, which ends with it.

    Args:
        source: the program's bytes, as they would stand in a file.
        streams: descriptors that become stdin, stdout and stderr.
        limits: cpu_time_s, compile_time_s, memory_mib, output_bytes, num_processes.
        site: folder with packages the program may import, or "".
        begin: called once, after compilation, with whether it succeeded.
    """
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    _set_limits(limits)
    _reopen_standard_streams()
    if site:
        sys.path.append(site)
    try:
        # The 4300-digit limit of int() still holds here: it keeps compilation short.
        code = compile(source, FILE_NAME, "exec", dont_inherit=True)
    except Exception as error:
        error.__traceback__ = None
        sys.excepthook(type(error), error, None)
        sys.stderr.flush()
        begin(False)
        os._exit(1)
    if site and b"numpy" in source:
        _import_in_advance("numpy")
    _limit_cpu(cpu_used_s() + limits["cpu_time_s"])
    namespace = _fresh_main()
    begin(True)
    os._exit(_run(code, namespace))


def _set_limits(limits: dict[str, float]) -> None:
    address_space = (int(limits["memory_mib"]) + MEMORY_SLACK_MIB) << 20
    _lower(resource.RLIMIT_AS, address_space)
    _lower(resource.RLIMIT_FSIZE, int(limits["output_bytes"]))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, NUM_FILES)
    if limits["num_processes"] and hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, int(limits["num_processes"]))
    _limit_cpu(limits["compile_time_s"], keep_hard=True)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard == resource.RLIM_INFINITY or hard >= STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    _thread.stack_size(THREAD_STACK_BYTES)  # else every thread reserves the whole main stack
    # Python ignores it, and a write beyond the limit would be an exception the program can catch.
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)


def _limit_cpu(seconds: float, keep_hard: bool = False) -> None:
    """A backstop in whole seconds; the supervisor measures finely and kills earlier."""
    soft = int(seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard if keep_hard else soft))


def _lower(kind: int, value: int) -> None:
    """Set a limit, soft and hard, but never above the hard limit in force."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def cpu_used_s() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _reopen_standard_streams() -> None:
    """Text streams as ``python -X utf8`` makes them for regular files."""
    for fd, name, mode, errors in (
        (0, "stdin", "r", "surrogateescape"),
        (1, "stdout", "w", "surrogateescape"),
        (2, "stderr", "w", "backslashreplace"),
    ):
        stream = open(fd, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 - stays open
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _import_in_advance(name: str) -> None:
    """Import a slow package on our own time; the program's import then finds it loaded.

    Where that fails, the program's own import will show why.
    """
    try:
        __import__(name)
    except Exception:
        sys.modules.pop(name, None)


def _fresh_main() -> dict[str, object]:
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    for name in ("quit", "exit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    sys.argv = [FILE_NAME]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    main.__dict__["__file__"] = FILE_NAME
    return main.__dict__


def _run(code: types.CodeType, namespace: dict[str, object]) -> int:
    """Run to the end as ``python solution.py`` does; returns the exit status."""
    status = 0
    try:
        exec(code, namespace)
    except SystemExit as end:
        status = _exit_status(end)
    except BaseException as error:
        status = 1
        _show(error)
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
    except BaseException as error:
        _show(error)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException:
        status = status or 120  # what Python itself exits with here
    return status


def _show(error: BaseException) -> None:
    """Print the traceback without the frame of this module."""
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
    sys.excepthook(type(error), error, error.__traceback__)


def _exit_status(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1
