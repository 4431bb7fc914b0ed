"""How processes of the program ended, in words."""

from __future__ import annotations

import signal


def how_it_ended(code: int | None) -> str:
    """What a message says of a process: ``was ended by SIGBUS``, or ``ended``.

    Args:
        code: its exit code, below zero a signal's number; None if it is not known.
    """
    if code is None or code >= 0:
        return "ended"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # real-time signals have no name of their own
        return f"was ended by signal {-code}"
