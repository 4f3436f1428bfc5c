"""Inside the jail: confines files and the network with Landlock, without any privilege.

Not covered: ``stat``, ``access``, ``chdir`` and ``readlink`` answer for every path, which tells
what exists on the host; ``chmod``, ``chown`` and ``utime`` work on what the user owns (seccomp.py
refuses them); files that are open already stay usable.
"""

import ctypes
import errno
import os
import stat
import struct

from codefeedback_env.sandbox.zygote.seccomp import no_new_privileges

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_ASK_FOR_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _READ_FILE, _READ_DIRECTORY = 1 << 0, 1 << 2, 1 << 3
_NUM_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Of each version: 2 adds links across directories, 3 truncating, 5 ioctl on devices."""

_FIRST_WITH_NETWORK = 4
_NETWORK_RIGHTS = 0b11  # binding and connecting TCP sockets
_FIRST_WITH_SCOPES = 6
_UNIX_SCOPE, _SIGNAL_SCOPE = 0b01, 0b10  # abstract sockets of, and signals to, those outside
_FIRST_WITH_LOG_FLAGS = 7
_LOG_NOTHING = 1  # refusals are expected here and would fill the host's audit log

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class LandlockUnavailableError(Exception):
    """This kernel does not offer Landlock to this process."""


def abi_version() -> int:
    """The version of Landlock this kernel has, 1 or more.

    Raises:
        LandlockUnavailableError: it has none, or hides it; the message says why.
    """
    version: int = _syscall(
        ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_FOR_VERSION)
    )
    if version < 1:
        error = ctypes.get_errno()
        reasons = {
            errno.ENOSYS: "the kernel is built without it (it needs Linux 5.13)",
            errno.EOPNOTSUPP: "it was not enabled at boot (add landlock to the lsm= list)",
        }
        raise LandlockUnavailableError(
            f"no Landlock here: {reasons.get(error, os.strerror(error))}."
        )
    return version


def restrict_to(read_only_paths: list[str]) -> int:
    """Leave the calling thread, and all it will start, only reading below some paths, for good.

    Everything Landlock knows about is refused except reading and executing files and listing
    directories at or below the paths. Call it while the process has one thread: others stay free.

    Args:
        read_only_paths: directories or files, which must exist.

    Returns:
        The kernel's version of Landlock; below 4 TCP stays open, below 6 so do signals and abstract
        Unix sockets.

    Raises:
        LandlockUnavailableError: the kernel has no Landlock.
        OSError: a path cannot be opened, or the kernel refuses the rules.
    """
    version = abi_version()
    ruleset = _create_ruleset(version)
    try:
        for path in read_only_paths:
            _allow_reading(ruleset, path)
        no_new_privileges()
        flags = _LOG_NOTHING if version >= _FIRST_WITH_LOG_FLAGS else 0
        if _syscall(ctypes.c_long(_RESTRICT_SELF), ctypes.c_int(ruleset), ctypes.c_uint(flags)):
            raise _os_error("landlock_restrict_self")
    finally:
        os.close(ruleset)
    return version


def _create_ruleset(version: int) -> int:
    """A descriptor of rules that refuse everything this version knows."""
    files = (1 << _NUM_FILE_RIGHTS.get(version, max(_NUM_FILE_RIGHTS.values()))) - 1
    # RHEL 9 kernels say they are version 6 and know the first scope only.
    for scopes in (_UNIX_SCOPE | _SIGNAL_SCOPE, _UNIX_SCOPE):
        rules = struct.pack("=Q", files)
        if version >= _FIRST_WITH_NETWORK:
            rules += struct.pack("=Q", _NETWORK_RIGHTS)
        if version >= _FIRST_WITH_SCOPES:
            rules += struct.pack("=Q", scopes)
        ruleset: int = _syscall(
            ctypes.c_long(_CREATE_RULESET), rules, ctypes.c_size_t(len(rules)), ctypes.c_uint(0)
        )
        if ruleset >= 0:
            return ruleset
    raise _os_error("landlock_create_ruleset")


def _allow_reading(ruleset: int, path: str) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _EXECUTE | _READ_FILE
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            rights |= _READ_DIRECTORY
        rule = struct.pack("=Qi", rights, fd)
        if _syscall(
            ctypes.c_long(_ADD_RULE),
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            rule,
            ctypes.c_uint(0),
        ):
            raise _os_error("landlock_add_rule", path)
    finally:
        os.close(fd)


def _os_error(call: str, path: str | None = None) -> OSError:
    error = ctypes.get_errno()
    return OSError(error, f"{call}: {os.strerror(error)}", path)
