"""Memory that was freed goes back to the system, where the C library would keep it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
_ARENAS = 2


def _trim_function() -> Callable[[int], int] | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc: musl and macOS give memory back by themselves
        return None
    trim.argtypes = [ctypes.c_size_t]
    return trim


_TRIM = _trim_function()


def give_back() -> None:
    """Returns whole pages of freed memory to the system; takes milliseconds, so for large things that come seldom.

    glibc gives back what is at the end of its heap only (``man 3 malloc_trim``), and something that lives is always
    there: a server that opens a collection after each reindex keeps the space of the largest ones so far, in pieces.
    """
    if _TRIM is not None:
        _TRIM(0)


def keep_together() -> None:
    """Lets threads take memory from two pools instead of eight a core; counts only before any thread is started.

    In glibc memory is freed into the pool that it was taken from (``man 3 mallopt``, ``M_ARENA_MAX``), and what one
    pool has free is of no use to the threads of others: an index run, of a dozen threads, held 50 MB that way
    (docs/performance.md). What the environment says (``MALLOC_ARENA_MAX``) is left as it is.
    """
    if _TRIM is not None and "MALLOC_ARENA_MAX" not in os.environ:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
