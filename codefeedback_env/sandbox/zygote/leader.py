"""Inside the jail: compiles one submission and runs each of its tests in a forked child.

A leader is the first process of a PID namespace of its own, so its end takes the child with it and
nothing in there can signal it. It never runs the program itself.
"""

import _signal
import _socket
import gc
import os
from array import array
from collections.abc import Callable
from types import CodeType

from codefeedback_env.sandbox.zygote import program
from codefeedback_env.sandbox.zygote.children import ChildWatcher
from codefeedback_env.sandbox.zygote.privileges import die_with_parent
from codefeedback_env.sandbox.zygote.seccomp import Filter
from codefeedback_env.sandbox.zygote.wire import (
    COMPILED,
    FDS_PER_TEST,
    LIMIT_NAMES,
    LIMITS,
    MAX_FDS_OF_SUBMISSION,
    MAX_TESTS_PER_MESSAGE,
    NOT_COMPILED,
)

_NUM_DESCRIPTORS = 1 << 16

# What a test needs has a name of its own here: each attribute looked up on the way to it would be
# one more page that the child writes a reference count to, and so has to copy.
_close, _closerange, _dup2, _exit, _fork = os.close, os.closerange, os.dup2, os._exit, os.fork
_run = program.run

Preparation = Callable[[], None]
"""What a test child calls before it becomes the program."""


def preparations_for_tests(program_filter: Filter, has_namespaces: bool) -> list[Preparation]:
    """What each test child of this process calls first.

    Without a PID namespace, whose end takes the child along, it has to see to that itself.
    """
    if has_namespaces:
        return [program_filter.install]
    own_pid = os.getpid()
    return [lambda: die_with_parent(own_pid), program_filter.install]


def lead(
    connection: _socket.socket,
    site: str,
    program_filter: Filter,
    has_namespaces: bool,
    watcher: ChildWatcher,
) -> None:
    """Serve one submission: limits, source and a file for complaints first, then batches of tests.

    A third file that comes with the limits says which function is called; see ``functions``.

    The caller has taken away capabilities and installed the leader's filter.

    Args:
        connection: to the judge.
        site: folder with further packages for programs, or "".
        program_filter: what a test child installs on top.
        has_namespaces: this is the first process of a PID namespace, which ends with it.
        watcher: of the test children.
    """
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    message, fds = receive(connection, MAX_FDS_OF_SUBMISSION)
    if not message:
        return
    compiler_output = fds[1]
    os.dup2(compiler_output, 2, False)
    os.close(compiler_output)
    limits = dict(zip(LIMIT_NAMES, LIMITS.unpack(message), strict=True))
    source = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
    os.close(fds[0])
    program.set_limits(limits)
    run: program.Run = _run
    try:
        if len(fds) == MAX_FDS_OF_SUBMISSION:
            from codefeedback_env.sandbox.zygote import functions  # not in every zygote

            function = os.pread(fds[2], os.fstat(fds[2]).st_size, 0)
            os.close(fds[2])
            code, namespace, run = functions.prepare(function, source)
        else:
            code, namespace = program.compile_source(source), program.fresh_main()
    except Exception as error:
        program.show_compile_error(error)
        connection.send(NOT_COMPILED)
        return
    del source
    program.import_in_advance(code, site)
    program.allow_long_integers()
    # A child counts from zero. This process does not, and must not die of what compiling has taken.
    program.limit_cpu(program.cpu_used_s() + limits["cpu_time_s"])
    watcher.set_limits(limits)
    preparations = preparations_for_tests(program_filter, has_namespaces)
    preparations += program.random_seeders()
    gc.enable()
    gc.freeze()
    connection.send(COMPILED)
    while True:
        message, fds = receive(connection, FDS_PER_TEST * MAX_TESTS_PER_MESSAGE)
        if not message:
            return
        run_tests(connection, code, namespace, fds, watcher, preparations, run)


def run_tests(
    connection: _socket.socket,
    code: CodeType,
    namespace: dict[str, object],
    fds: "array[int]",
    watcher: ChildWatcher,
    preparations: list[Preparation],
    run: program.Run = _run,
) -> None:
    """Run the program once for each three descriptors in ``fds``, and send a report after each.

    The last three are this process's standard streams afterwards.
    """
    numbers = iter(fds)
    for stdin, stdout, stderr in zip(numbers, numbers, numbers, strict=True):
        _dup2(stdin, 0)
        _dup2(stdout, 1)
        _dup2(stderr, 2)
        watcher.start()
        child = _fork()
        if child == 0:
            _closerange(FDS_PER_TEST, _NUM_DESCRIPTORS)
            for prepare in preparations:
                prepare()
            _exit(run(code, namespace))
        connection.send(watcher.report_on(child))
    for fd in fds:
        _close(fd)


def receive(connection: _socket.socket, max_fds: int) -> "tuple[bytes, array[int]]":
    """One message and the descriptors that came with it; b"" when the other end is closed."""
    fds = array("i")
    message, ancillary, _, _ = connection.recvmsg(256, _socket.CMSG_SPACE(4 * max_fds))
    for _, _, data in ancillary:
        fds.frombytes(data[: len(data) // 4 * 4])
    return message, fds
