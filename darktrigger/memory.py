"""The C library's memory settings."""

from __future__ import annotations

import ctypes
import sys

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8

#: Environment of a process that keeps freed memory from its start, in all its threads.
KEEPING_FREED_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
}


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed arrays for the next ones (glibc; elsewhere nothing).

    By default glibc hands large blocks back to the system, which takes them away page by page
    and returns them as zeros at the next allocation: up to half of a training step, and a
    quarter of imaging.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        # One arena for all threads: only that one can grow without mapping blocks of their own.
        for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1)):
            libc.mallopt(option, value)
