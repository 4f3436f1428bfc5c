"""Inside the jail: namespaces for children, and giving up what is not needed any more."""

import ctypes
import os
import struct

_CLONE_NEWPID = 0x20000000
_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


def new_pid_namespace_for_children() -> None:
    """The next process forked from here is the first of a new PID namespace.

    Raises:
        OSError: the kernel or the container forbids it.
    """
    if _libc.unshare(_CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWPID) failed")


def return_to_pid_namespace(pidfd: int) -> None:
    """Processes forked from here belong to the namespace of the process ``pidfd`` again.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.setns(pidfd, _CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "setns to the own PID namespace failed")


def drop_capabilities() -> None:
    """Give up every capability, also inside this user namespace, for good."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, struct.pack("=6I", *[0] * 6)):
        raise OSError(ctypes.get_errno(), f"capset failed for process {os.getpid()}")


def die_with_parent() -> None:
    """The kernel kills this process when its parent ends."""
    if _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
