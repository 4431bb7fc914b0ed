"""Whether the model works, as far as the queries that went through it tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping


class ModelHealth:
    """What was seen of each lane last; written by the model's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worked_at_s: dict[str, float] = {}
        self._failures: dict[str, Exception] = {}

    def worked(self, lane: str) -> None:
        """A pass of that lane succeeded just now."""
        with self._lock:
            self._worked_at_s[lane] = time.monotonic()
            self._failures.pop(lane, None)

    def failed(self, lane: str, error: Exception) -> None:
        """The model failed for a query alone, which may be the query's fault or the model's."""
        with self._lock:
            self._failures[lane] = error

    def failures(self) -> Mapping[str, Exception]:
        """Lanes in which nothing succeeded since something failed, with that error."""
        with self._lock:
            return dict(self._failures)

    def idle_s(self, *lanes: str) -> float:
        """Seconds since the latest success in one of the lanes; infinite if there was none."""
        with self._lock:
            return time.monotonic() - max(self._worked_at_s.get(lane, float("-inf")) for lane in lanes)
