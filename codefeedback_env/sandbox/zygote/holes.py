"""Inside the jail: takes what earlier work left free in the allocators, so that it is not reused.

An allocation between other objects dirties a page for itself alone, which a forked child has to
copy; and malloc sorts what was freed when it is next asked, in each child again. Without holes, a
child's new objects lie side by side.
"""

import ctypes
import sys

_POOL_BYTES = 1 << 14  # of Python's allocator for small objects; a quarter of it before Python 3.10
_POOL_HEADER_BYTES = 48
_SMALL_BYTES = range(48, 513, 16)  # sizes that have pools of their own and that a bytes can have
_BYTES_OVERHEAD = sys.getsizeof(b"")
_LARGEST_HOLE_BYTES = 100_000  # malloc asks the kernel for more than that
_MAX_HOLES = 2000  # of each size


def fill_holes() -> list[bytes]:
    """Allocate until both allocators go on to fresh memory; returns what has to be kept."""
    _fill_holes_of_malloc()
    kept = []
    for size in _SMALL_BYTES:
        for _ in range(_MAX_HOLES):
            block = bytes(size - _BYTES_OVERHEAD)
            kept.append(block)
            if id(block) % _POOL_BYTES == _POOL_HEADER_BYTES:
                break  # the first of a new pool
    return kept


def _fill_holes_of_malloc() -> None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        return  # not glibc
    malloc = libc.malloc
    malloc.restype = ctypes.c_void_p
    malloc.argtypes = (ctypes.c_size_t,)
    libc.malloc_trim(0)  # pages without anything on them need not be copied at a fork
    top = 0  # above all holes
    size = _LARGEST_HOLE_BYTES
    while size >= 16:
        for _ in range(_MAX_HOLES):
            address = malloc(size)
            if address > top:
                top = address
                break
        size = size * 7 // 8
