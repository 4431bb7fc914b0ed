"""Memory that was freed goes back to the system, where the C library would keep it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable


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
