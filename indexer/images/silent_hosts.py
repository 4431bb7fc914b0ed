"""Hosts that answer nothing are left alone for a while, so that one of them does not take the time of all others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from indexer.errors import ImageFetchFailed

_TIMEOUTS_IN_A_ROW = 4
_REST_S = 30.0


@dataclass(slots=True)
class _Silence:
    timeouts: int = 0
    until_s: float = 0.0


class SilentHosts:
    """Counts timeouts in a row; only those, as a host that refuses costs no time.

    Args:
        rest_s: how long a silent host is left alone; then one picture at a time finds out whether it answers.
    """

    def __init__(self, *, rest_s: float = _REST_S) -> None:
        self._rest_s = rest_s
        self._lock = threading.Lock()
        self._silences: dict[str, _Silence] = {}

    def check(self, host: str) -> None:
        """Returns if the host may be asked.

        Raises:
            ImageFetchFailed: it was silent too often, just now.
        """
        with self._lock:
            silence = self._silences.get(host)
            if silence is None or silence.timeouts < _TIMEOUTS_IN_A_ROW:
                return
            now_s = time.monotonic()
            if now_s < silence.until_s:
                raise ImageFetchFailed(
                    f"{host} did not answer {silence.timeouts} times in a row, so it is left alone for "
                    f"{self._rest_s:g} s."
                )
            silence.until_s = now_s + self._rest_s  # this one asks; the others wait for what comes of it

    def timed_out(self, host: str) -> None:
        """The host did not answer in time."""
        with self._lock:
            silence = self._silences.setdefault(host, _Silence())
            silence.timeouts += 1
            silence.until_s = time.monotonic() + self._rest_s

    def answered(self, host: str) -> None:
        """The host answered, whatever it said."""
        with self._lock:
            self._silences.pop(host, None)
