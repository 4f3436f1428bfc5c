"""Inside the jail: the zygote's code in as few mappings, and on as few pages, as possible.

A fork copies every mapping. Code that is mapped from a file is besides mapped anew in each forked
child, up to sixteen pages of one mapping a fault, and unmapped at its end: some forty faults a
test for the interpreter. One entry of a page table covers a huge page, and a fork copies it. Two
megabytes hold most of an interpreter, which costs each jail as much memory.
"""

import ctypes
import os
import struct
from collections.abc import Iterator

_HUGE_PAGE_BYTES = 2 << 20
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")

_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_COLLAPSE = 25  # MADV_COLLAPSE: huge pages now or an error; Linux 6.1
_MAY_MOVE, _TO_FIXED = 1, 2
_FAILED = ctypes.c_void_p(-1).value

_RELOCATABLE = 3  # ET_DYN
_LOADED, _READ_ONLY_AFTER_START = 1, 0x6474E552  # PT_LOAD, PT_GNU_RELRO
_SEGMENT_WRITABLE = 2  # PF_W
_LINK_MAP = 2  # RTLD_DI_LINKMAP


_Segment = tuple[int, bool, int, int]
"""A part of a program or library in memory, in whole pages: kind, whether it is writable, first
address, the one behind the last."""


class _SymbolInfo(ctypes.Structure):
    """Dl_info."""

    _fields_ = (
        ("file_name", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol_name", ctypes.c_char_p),
        ("symbol", ctypes.c_void_p),
    )


class _Library(ctypes.Structure):
    """struct link_map."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("file_name", ctypes.c_char_p),
        ("dynamic", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
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


def merge_mappings() -> None:
    """Make two mappings of the five of each loaded library; does nothing where that fails.

    Neighbours of the same file become one where access is the same. So constants become executable,
    and what was read-only once the library had started is writable: like all the memory of a
    program, which can change that access itself.
    """
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for base in _bases_of_libraries():
        for kind, is_writable, start, end in _segments(base):
            if kind == _READ_ONLY_AFTER_START:
                libc.mprotect(start, end - start, _READ | _WRITE)
            elif not is_writable:
                libc.mprotect(start, end - start, _READ | _EXECUTE)


def _read_only_part_of_interpreter() -> tuple[int, int]:
    """First address and the one behind the last, of its file's segments up to a writable one.

    Source: elf(5). In a jail there is no /proc/self/maps to ask.
    """
    base = _base_of_interpreter()
    end = base
    for kind, is_writable, start, segment_end in _segments(base):
        if kind != _LOADED:
            continue
        if is_writable or start != end:
            break
        end = segment_end
    return base, end


def _base_of_interpreter() -> int:
    """Where its file begins in memory, or 0."""
    info = _SymbolInfo()
    symbol = ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p)
    ctypes.CDLL(None).dladdr(symbol, ctypes.byref(info))
    return info.base or 0


def _bases_of_libraries() -> Iterator[int]:
    """Where the files of the interpreter and of the loaded libraries begin in memory.

    Source: dlinfo(3).
    """
    libc = ctypes.CDLL(None)
    pointer = ctypes.c_void_p()
    if not hasattr(libc, "dlinfo"):
        return
    libc.dlinfo.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    if libc.dlinfo(libc._handle, _LINK_MAP, ctypes.byref(pointer)):
        return
    address = pointer.value
    while address:
        library = _Library.from_address(address)
        if not (library.file_name or b"").startswith(b"linux-vdso"):
            yield library.base or _base_of_interpreter()  # 0 is a program that cannot be relocated
        address = library.next


def _segments(base: int) -> Iterator[_Segment]:
    """The parts of the file whose beginning is at ``base``; nothing where that is 0."""
    if not base:
        return
    header = ctypes.string_at(base, 64)
    (kind,) = struct.unpack_from("=H", header, 16)
    (table,) = struct.unpack_from("=Q", header, 32)
    entry_bytes, num_entries = struct.unpack_from("=HH", header, 54)
    offset = base if kind == _RELOCATABLE else 0
    for number in range(num_entries):
        entry = ctypes.string_at(base + table + number * entry_bytes, entry_bytes)
        segment, flags, _, address, _, _, num_bytes = struct.unpack_from("=IIQQQQQ", entry)
        if segment in (_LOADED, _READ_ONLY_AFTER_START):
            start = (offset + address) // _PAGE_BYTES * _PAGE_BYTES
            end = offset + address + num_bytes
            if segment == _LOADED:
                end = -(-end // _PAGE_BYTES) * _PAGE_BYTES
            else:  # the loader leaves alone what shares a page with other data
                end = end // _PAGE_BYTES * _PAGE_BYTES
            yield segment, bool(flags & _SEGMENT_WRITABLE), start, end
