"""Inside the jail: the interpreter's own code on huge pages.

Code that is mapped from a file is mapped anew in each forked child, sixteen pages a fault, and
unmapped at its end: some forty faults a test. One entry of a page table covers a huge page, and a
fork copies it. Two megabytes hold most of an interpreter, which costs each jail as much memory.
"""

import ctypes
import os
import struct

_HUGE_PAGE_BYTES = 2 << 20
_PAGE_BYTES = 4096

_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_COLLAPSE = 25  # MADV_COLLAPSE: huge pages now or an error; Linux 6.1
_MAY_MOVE, _TO_FIXED = 1, 2
_FAILED = ctypes.c_void_p(-1).value

_RELOCATABLE = 3  # ET_DYN
_LOADED = 1  # PT_LOAD
_SEGMENT_WRITABLE = 2  # PF_W


class _SymbolInfo(ctypes.Structure):
    """Dl_info."""

    _fields_ = (
        ("file_name", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol_name", ctypes.c_char_p),
        ("symbol", ctypes.c_void_p),
    )


def use_huge_pages_for_code() -> None:
    """Move what is read-only of the interpreter to huge pages; does nothing where that fails.

    Constants on these pages become executable, which programs may make any memory of theirs. Call
    it while the process has one thread.
    """
    if os.uname().machine != "x86_64":  # elsewhere new code needs its caches flushed
        return
    start, end = _read_only_part_of_interpreter()
    start = -(-start // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    size = (end - start) // _HUGE_PAGE_BYTES * _HUGE_PAGE_BYTES
    if size <= 0:
        return
    libc = ctypes.CDLL(None)
    pointer, length, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = libc.mremap.restype = pointer
    libc.mmap.argtypes = [pointer, length, number, number, number, ctypes.c_long]
    libc.mremap.argtypes = [pointer, length, length, number, pointer]
    libc.munmap.argtypes = [pointer, length]
    libc.madvise.argtypes = libc.mprotect.argtypes = [pointer, length, number]

    room = size + _HUGE_PAGE_BYTES  # to have it aligned
    new = libc.mmap(None, room, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    if new == _FAILED:
        return
    copy = -(-new // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    ctypes.memmove(copy, start, size)
    if not libc.madvise(copy, size, _COLLAPSE) and not libc.mprotect(copy, size, _READ | _EXECUTE):
        libc.mremap(copy, size, size, _MAY_MOVE | _TO_FIXED, start)  # at once, under our feet
    libc.munmap(new, room)


def _read_only_part_of_interpreter() -> tuple[int, int]:
    """First address and the one behind the last, of its file's segments up to a writable one.

    Source: elf(5). In a jail there is no /proc/self/maps to ask.
    """
    libc = ctypes.CDLL(None)
    info = _SymbolInfo()
    libc.dladdr(ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p), ctypes.byref(info))
    base = info.base
    if base is None:
        return 0, 0
    header = ctypes.string_at(base, 64)
    (kind,) = struct.unpack_from("=H", header, 16)
    (table,) = struct.unpack_from("=Q", header, 32)
    entry_bytes, num_entries = struct.unpack_from("=HH", header, 54)
    offset = base if kind == _RELOCATABLE else 0
    end = base
    for number in range(num_entries):
        entry = ctypes.string_at(base + table + number * entry_bytes, entry_bytes)
        segment, flags, _, address, _, _, num_bytes = struct.unpack_from("=IIQQQQQ", entry)
        if segment != _LOADED:
            continue
        first = (offset + address) // _PAGE_BYTES * _PAGE_BYTES
        if flags & _SEGMENT_WRITABLE or first != end:
            break
        end = -(-(offset + address + num_bytes) // _PAGE_BYTES) * _PAGE_BYTES
    return base, end
