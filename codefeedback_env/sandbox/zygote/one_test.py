"""Inside the jail: runs one program on one input and reports how it ended.

The supervising process here is the jail's first process. It never runs the program, nor compiles
it: both happen in a forked child, so that nothing a program does can take the report away.
"""

import _signal
import os
import select
import sys

from codefeedback_env.sandbox.zygote import program, seccomp
from codefeedback_env.sandbox.zygote.watch import Watch, cpu_time_s
from codefeedback_env.sandbox.zygote.wire import (
    COMPILING,
    ENDED,
    KILLED_FOR_TIME,
    LIMIT_NAMES,
    PHASE,
    REPORT,
    RUNNING,
)

KIB_PER_MIB = 1024 if sys.platform != "darwin" else 1024 * 1024


def main(arguments: list[str]) -> None:
    """Run the program described by ``arguments`` and send one REPORT.

    Arguments: descriptors of source, stdin, stdout, stderr and report socket; the site folder;
    "run" or "compile"; "filtered" or "unfiltered" system calls; descriptor of the file for
    ``functions.prepare`` or ""; then the limits in the order of LIMIT_NAMES.
    """
    source_fd, stdin_fd, stdout_fd, stderr_fd, report_fd = map(int, arguments[:5])
    site, task, system_calls = arguments[5:8]
    function_fd = arguments[8]
    limits = dict(zip(LIMIT_NAMES, map(float, arguments[9:]), strict=True))
    if sys.platform == "linux":
        seccomp.set_not_dumpable()  # so that the program cannot attach to this process
    system_call_filter = (
        seccomp.Filter(seccomp.one_shot_filter()) if system_calls == "filtered" else None
    )
    source = _content(source_fd)
    function = _content(int(function_fd)) if function_fd else None
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(wake_write)
    phase_read, phase_write = os.pipe()
    os.set_blocking(phase_read, False)
    child = os.fork()
    if child == 0:
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        os.setpgid(0, 0)
        for number, fd in enumerate((stdin_fd, stdout_fd, stderr_fd)):
            os.dup2(fd, number)
        _become_program(source, function, limits, site, phase_write, task, system_call_filter)
    os.close(phase_write)
    os.write(report_fd, _supervise(child, phase_read, wake_read, report_fd, limits))


def _become_program(
    source: bytes,
    function: bytes | None,
    limits: dict[str, float],
    site: str,
    phase: int,
    task: str,
    system_call_filter: seccomp.Filter | None,
) -> None:
    """Compile and run ``source`` in this process, which ends with it."""
    program.set_limits(limits)
    program.prepare_interpreter()
    run: program.Run = program.run
    try:
        if function is not None:
            from codefeedback_env.sandbox.zygote import functions

            code, namespace, run = functions.prepare(function, source)
        else:
            code, namespace = program.compile_source(source), program.fresh_main()
    except Exception as error:
        program.show_compile_error(error)
        os.write(phase, PHASE.pack(False, program.cpu_used_s()))
        os._exit(1)
    program.import_in_advance(code, site)
    for seed in program.random_seeders():
        seed()
    program.allow_long_integers()
    program.limit_cpu(program.cpu_used_s() + limits["cpu_time_s"])
    os.write(phase, PHASE.pack(True, program.cpu_used_s()))
    if task == "compile":
        os._exit(0)
    os.closerange(3, 1 << 16)
    if system_call_filter is not None:
        system_call_filter.install(all_threads=True)
    os._exit(run(code, namespace))


def _supervise(
    child: int, phase_read: int, wake_read: int, report_fd: int, limits: dict[str, float]
) -> bytes:
    poll = select.poll()
    poll.register(phase_read, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    poll.register(report_fd, select.POLLHUP)  # the judge went away: leave at once
    phase, reason = COMPILING, ENDED
    compile_time_s = limits["compile_time_s"]
    watch = Watch(compile_time_s, 0.0, 2 * compile_time_s + 1, 20 * compile_time_s)
    finished, phase_known = 0, False
    while not finished:
        events = [fd for fd, _ in poll.poll(watch.next_look_s() * 1000)]
        if report_fd in events:
            _kill_group(child)
            os._exit(1)
        if wake_read in events:
            os.read(wake_read, 512)
        finished, status, usage = os.wait4(child, os.WNOHANG)
        if not phase_known and (finished or phase_read in events):
            phase_known = True
            poll.unregister(phase_read)
            message = _read(phase_read)
            if message:
                compiled, cpu_before_s = PHASE.unpack(message)
                if compiled:
                    phase = RUNNING
                    watch = Watch(
                        limits["cpu_time_s"],
                        cpu_before_s,
                        limits["wall_time_s"],
                        limits["backstop_s"],
                    )
        if not finished and reason == ENDED and watch.is_over(cpu_time_s(child)):
            reason = KILLED_FOR_TIME
            os.kill(child, _signal.SIGKILL)
    _kill_group(child)
    return REPORT.pack(
        phase,
        reason,
        status,
        max(usage.ru_utime + usage.ru_stime - watch.cpu_before_s, 0.0),
        watch.wall_s(),
        usage.ru_maxrss / KIB_PER_MIB,
    )


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, PHASE.size)
    except BlockingIOError:
        return b""


def _kill_group(leader: int) -> None:
    """End what the program started; in a jail, the end of this process does it again."""
    try:  # noqa: SIM105 - contextlib costs a test a millisecond
        os.killpg(leader, _signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
