"""How the C library keeps memory that is free: not for long.

glibc takes buffers from the kernel one by one only until the first of them is freed: from then on
buffers of that size come from its heap, and stay there when a small object lies behind them. A
hundred terminals that were opened and closed left 37 MiB so.
"""

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Numbers of glibc's `malloc.h`."""

LARGE_BYTES: Final = 128 * 1024
"""Buffers from this size on are given back as soon as they are freed. It is glibc's own first
value; to set it keeps glibc from raising it."""

ARENAS: Final = 2
"""Threads that hash, compress or read files share these; glibc would make eight for each processor,
each of which keeps what it had at its peak."""


def give_back_free_memory() -> bool:
    """Set the limits for this process; return whether its C library has them."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl, macOS
        return False
    options = {M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: LARGE_BYTES, M_ARENA_MAX: ARENAS}
    return sum(int(mallopt(*each)) for each in options.items()) == len(options)
