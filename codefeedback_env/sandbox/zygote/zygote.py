"""Inside the jail: the first process, from which a leader is forked for every submission.

It holds no secrets, never compiles and never runs a program. It ends when the judge closes its
socket, and everything in the jail ends with it.
"""

import _signal
import _socket
import gc
import os
import sys
from array import array

from codefeedback_env.sandbox.zygote import landlock, privileges, program, seccomp
from codefeedback_env.sandbox.zygote.children import ChildWatcher
from codefeedback_env.sandbox.zygote.holes import fill_holes
from codefeedback_env.sandbox.zygote.leader import lead, receive
from codefeedback_env.sandbox.zygote.mappings import merge_mappings, use_huge_pages_for_code
from codefeedback_env.sandbox.zygote.rehearsal import rehearse
from codefeedback_env.sandbox.zygote.wire import PID, READY

PRELOADED = ("bisect", "collections", "heapq", "itertools", "math")  # cost nothing per test


def main(arguments: list[str]) -> None:
    """Serve the judge.

    Arguments: descriptor of the control socket; "namespaces" or "landlock"; the site folder; "1" to
    import numpy now; then the folders that may be read, for Landlock.
    """
    control = _socket.socket(fileno=int(arguments[0]))
    has_namespaces = arguments[1] == "namespaces"
    site = arguments[2]
    if arguments[3] == "1":
        sys.path.append(site)
        __import__("numpy")
    for name in PRELOADED:
        __import__(name)
    leader_filter = seccomp.Filter(seccomp.leader_filter())
    program_filter = seccomp.Filter(seccomp.program_filter())
    seccomp.no_new_privileges()
    seccomp.set_not_dumpable()
    if not has_namespaces:
        landlock.restrict_to(arguments[4:])
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    use_huge_pages_for_code()
    merge_mappings()
    _take_regular_files_for_standard_streams()
    watcher = ChildWatcher()
    rehearse(watcher, program_filter, has_namespaces)
    _take_regular_files_for_standard_streams()
    program.prepare_interpreter()
    own_pid = os.getpid()
    own_namespace = os.pidfd_open(own_pid)
    gc.collect()
    _fillers = fill_holes()
    gc.disable()
    gc.freeze()
    control.send(READY)
    while True:
        message, fds = receive(control, 1)
        if not message:
            return
        if has_namespaces:
            privileges.new_pid_namespace_for_children()
        _signal.signal(
            _signal.SIGCHLD, _signal.SIG_DFL
        )  # a leader that ends at once stays to be found
        pid = os.fork()
        if pid == 0:
            control.close()
            os.close(own_namespace)
            privileges.die_with_parent(None if has_namespaces else own_pid)
            _be_leader(fds[0], site, leader_filter, program_filter, has_namespaces, watcher)
        if has_namespaces:
            privileges.return_to_pid_namespace(own_namespace)
        pidfd = os.pidfd_open(pid)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)  # from now on the kernel reaps leaders
        _reap_leaders()
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", [pidfd]))]
        control.sendmsg([PID], rights)
        os.close(pidfd)
        os.close(fds[0])


def _be_leader(
    fd: int,
    site: str,
    leader_filter: seccomp.Filter,
    program_filter: seccomp.Filter,
    has_namespaces: bool,
    watcher: ChildWatcher,
) -> None:
    try:
        privileges.drop_capabilities()
        leader_filter.install()
        lead(_socket.socket(fileno=fd), site, program_filter, has_namespaces, watcher)
    except BaseException as error:  # whatever it is, a leader never returns into the zygote
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(1)
    os._exit(0)


def _reap_leaders() -> None:
    """Those that have ended while the kernel did not."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _take_regular_files_for_standard_streams() -> None:
    """Text streams are made over these; the tests' own files take their place later."""
    for fd in (0, 1):
        file = os.memfd_create("placeholder")
        os.dup2(file, fd)
        os.close(file)
