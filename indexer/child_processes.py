"""Processes that the program starts for a part of its own work."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""Of Linux' prctl.h: the signal for the end of the thread that started this process."""


def end_with_parent(parent: int) -> None:
    """Ends this process when the one that started it ends, however that comes; at once if that has happened already.

    A process that is killed takes none along that it has started, and who takes up its work would find one still busy
    with it. Of Linux only; elsewhere it does nothing.

    Args:
        parent: the process that started this one. The thread in which it did so must live until this one is done.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(f"The process {parent} is gone, whose work this was.")
