"""Inside the jail: compiles one submission and runs each of its tests in a forked child.

A leader is the first process of a PID namespace of its own, so its end takes the child with it and
nothing in there can signal it. It never runs the program itself.
"""

import _signal
import _socket
import gc
import os
from array import array
from types import CodeType

from codefeedback_env.sandbox.zygote import program
from codefeedback_env.sandbox.zygote.privileges import die_with_parent
from codefeedback_env.sandbox.zygote.seccomp import Filter
from codefeedback_env.sandbox.zygote.watch import Watch, cpu_time_s
from codefeedback_env.sandbox.zygote.wire import (
    COMPILED,
    ENDED,
    FDS_PER_TEST,
    KILLED_FOR_TIME,
    LIMIT_NAMES,
    LIMITS,
    MAX_TESTS_PER_MESSAGE,
    NOT_COMPILED,
    REPORT,
    RUNNING,
)

_CHILD_SIGNAL = frozenset({_signal.SIGCHLD})


def lead(connection: _socket.socket, site: str, program_filter: Filter) -> None:
    """Serve one submission: limits, source and a file for complaints first, then batches of tests.

    The caller has taken away capabilities and installed the leader's filter.

    Args:
        connection: to the judge.
        site: folder with further packages for programs, or "".
        program_filter: what a test child installs on top.
    """
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _CHILD_SIGNAL)
    message, fds = receive(connection, 2)
    if not message:
        return
    compiler_output = fds[1]
    os.dup2(compiler_output, 2, False)
    os.close(compiler_output)
    limits = dict(zip(LIMIT_NAMES, LIMITS.unpack(message), strict=True))
    source = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
    os.close(fds[0])
    program.set_limits(limits)
    try:
        code = program.compile_source(source)
    except Exception as error:
        program.show_compile_error(error)
        connection.send(NOT_COMPILED)
        return
    del source
    program.import_in_advance(code, site)
    namespace = program.fresh_main()
    program.limit_cpu(limits["cpu_time_s"])
    gc.enable()
    gc.freeze()
    connection.send(COMPILED)
    while True:
        message, fds = receive(connection, FDS_PER_TEST * MAX_TESTS_PER_MESSAGE)
        if not message:
            return
        for first in range(0, len(fds), FDS_PER_TEST):
            streams = fds[first : first + FDS_PER_TEST]
            connection.send(_run_test(code, namespace, streams, limits, program_filter))
            for fd in streams:
                os.close(fd)


def receive(connection: _socket.socket, max_fds: int) -> "tuple[bytes, array[int]]":
    """One message and the descriptors that came with it; b"" when the other end is closed."""
    fds = array("i")
    message, ancillary, _, _ = connection.recvmsg(256, _socket.CMSG_SPACE(4 * max_fds))
    for _, _, data in ancillary:
        fds.frombytes(data[: len(data) // 4 * 4])
    return message, fds


def _run_test(
    code: CodeType,
    namespace: dict[str, object],
    streams: "array[int]",
    limits: dict[str, float],
    program_filter: Filter,
) -> bytes:
    watch = Watch(limits["cpu_time_s"], 0.0, limits["wall_time_s"], limits["backstop_s"])
    child = os.fork()
    if child == 0:
        for number, fd in enumerate(streams):
            os.dup2(fd, number, False)
        os.closerange(len(streams), 1 << 16)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        die_with_parent()
        program.seed_random()
        program_filter.install()
        os._exit(program.run(code, namespace))
    reason, finished = ENDED, 0
    while not finished:
        _signal.sigtimedwait(_CHILD_SIGNAL, watch.next_look_s())
        finished, status, usage = os.wait4(child, os.WNOHANG)
        if not finished and reason == ENDED and watch.is_over(cpu_time_s(child)):
            reason = KILLED_FOR_TIME
            os.kill(child, _signal.SIGKILL)
    return REPORT.pack(
        RUNNING,
        reason,
        status,
        usage.ru_utime + usage.ru_stime,
        watch.wall_s(),
        usage.ru_maxrss / 1024,
    )
