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
_HEADER = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
_NO_CAPABILITIES = ctypes.create_string_buffer(24)

# What every process in the jail calls has a name here and arguments that are ready, and does not
# look after errno: looking things up for the first time after a fork costs page faults.
_quick_libc = ctypes.CDLL(None)
_prctl, _capset, _getppid = _quick_libc.prctl, _quick_libc.capset, os.getppid
_header, _no_capabilities = ctypes.byref(_HEADER), ctypes.byref(_NO_CAPABILITIES)


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
    """Give up every capability, also inside this user namespace, for good.

    Raises:
        OSError: the kernel refuses.
    """
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if _capset(_header, _no_capabilities) and _libc.capset(_header, _no_capabilities):
        raise OSError(ctypes.get_errno(), f"capset failed for process {os.getpid()}")


def die_with_parent(parent: int | None = None) -> None:
    """The kernel kills this process when its parent ends.

    Args:
        parent: its process id; if that has ended already, this process ends at once.
    """
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)  # cannot fail with a signal that exists
    if parent is not None and _getppid() != parent:
        os._exit(1)
