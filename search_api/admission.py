"""Who is let into a lane: while more comes than can be answered few wait, and those who are let in are answered soon.

A burst may wait: it is over in a moment. A queue that lasts helps nobody: it answers no more queries a second, and each
of them later. So once queries have waited without a break for a while, one more is let in only if it probably takes not
much longer than one takes alone. (K. Nichols and V. Jacobson, "Controlling Queue Delay", ACM Queue 2012, tell a burst
from a lasting queue by its age; the expected time is Little's law.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LASTING_S = 0.25
"""Of a queue, from which on it is no burst; or so many times what a query takes alone, if that is longer."""
_LASTING_TIMES = 5
_REMEMBERED_S = 1.0
_SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """What a lane takes in.

    Attributes:
        places: queries that may be under way.
        slowdown: times what a query takes alone that it may probably take while a queue lasts; 0: any.
    """

    places: int
    slowdown: float = 0.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """Of a query that was let in.

    Attributes:
        entered_s: on the monotonic clock.
        alone: whether nobody was there.
    """

    entered_s: float
    alone: bool


class Admission:
    """The account of one lane; its caller sees to it that one thread at a time uses it.

    Args:
        limits: see there.
        clock_s: monotonic.
    """

    def __init__(self, limits: AdmissionLimits, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock_s = clock_s
        self._under_way = 0
        self._crowded_since_s = math.inf
        self._refused_s = -math.inf
        self._alone_s = 0.0
        self._counted_from_s = 0.0
        self._busy_s = self._left = 0.0

    @property
    def under_way(self) -> int:
        """Queries that are in."""
        return self._under_way

    def expected_s(self) -> float:
        """Seconds that a query probably takes that comes in now; 0 while that is not known."""
        return (self._under_way + 1) * self._busy_s / self._left if self._left else 0.0

    def enter(self) -> Ticket | None:
        """Lets a query in, if there is a place for it."""
        now_s = self._clock_s()
        if self._under_way < 2 and now_s - self._refused_s > self._lasting_s():
            self._crowded_since_s = math.inf
        if self._under_way >= self._limits.places or self._takes_too_long(now_s):
            self._refused_s = now_s
            return None
        if self._under_way == 0:
            self._counted_from_s = now_s
        if self._under_way == 1:
            self._crowded_since_s = min(self._crowded_since_s, now_s)
        self._under_way += 1
        return Ticket(now_s, alone=self._under_way == 1)

    def leave(self, ticket: Ticket, *, answered: bool) -> None:
        """A query is done, or was given up."""
        now_s = self._clock_s()
        self._under_way -= 1
        if not answered:
            return
        if ticket.alone:
            took_s = now_s - ticket.entered_s
            self._alone_s += (_SMOOTHING if self._alone_s else 1.0) * (took_s - self._alone_s)
        since_s = now_s - self._counted_from_s
        kept = math.exp(-since_s / _REMEMBERED_S)
        self._busy_s = kept * self._busy_s + since_s
        self._left = kept * self._left + 1
        self._counted_from_s = now_s

    def _takes_too_long(self, now_s: float) -> bool:
        if not self._limits.slowdown or not self._alone_s or now_s - self._crowded_since_s < self._lasting_s():
            return False
        return self.expected_s() > self._limits.slowdown * self._alone_s

    def _lasting_s(self) -> float:
        return max(_LASTING_S, _LASTING_TIMES * self._alone_s)
