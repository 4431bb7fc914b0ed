"""Who is let into a lane: while more comes than can be answered few wait, and those who are let in are answered soon.

A burst may wait: it is over in a moment. So may those who meet by chance: at eight tenths of its capacity a server has
a queue most of the time, and nobody is to be refused for that. A queue of more than can be answered helps nobody: it
answers no more queries a second, and each of them later. So once queries have waited without a break for a while, and
more come than are answered, one more is let in only if it probably takes not much longer than one takes alone.

K. Nichols and V. Jacobson, "Controlling Queue Delay", ACM Queue 2012, tell a burst from a lasting queue by its age; the
expected time is Little's law; chance and overload are told apart over a short time and a longer one, as alerts on error
budgets are (B. Beyer et al., "The Site Reliability Workbook", 2018, chapter 5).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LASTING_S = 0.25
"""Of a queue, from which on it is no burst; or so many times what a query takes alone, if that is longer."""
_LASTING_TIMES = 5
_SUDDEN = (0.2, 8, 1.4)
_STEADY = (3.0, 40, 1.0)
"""Seconds over which the load is looked at, how many queries' time that is at least, and the load that is too much: 1
is the capacity. In simulations of chance arrivals at 0.8 of the capacity, up to 3 % are refused; at twice the capacity,
what is let in takes twice what one takes alone, after a second or so in which that is noticed."""
_REMEMBERED_S = 1.0
_SMOOTHING_DOWN, _SMOOTHING_UP = 0.5, 0.02
"""Of what a query takes alone: something else on the machine can only make that longer, and is no new norm at once."""


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
    """

    entered_s: float


class _Load:
    """What comes against what can be answered.

    Args:
        span: see ``_SUDDEN``.
    """

    def __init__(self, span: tuple[float, int, float]) -> None:
        self._least_s, self._queries, self._most = span
        self._count = 0.0
        self._last_s = -math.inf

    def one_more(self, now_s: float, each_s: float) -> bool:
        """Whether it is too much with the query that comes now.

        Args:
            now_s: on the monotonic clock.
            each_s: what each query takes of the lane's time.
        """
        over_s = max(self._least_s, self._queries * each_s)
        self._count = self._count * math.exp((self._last_s - now_s) / over_s) + 1
        self._last_s = now_s
        return self._count / over_s * each_s > self._most


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
        self._lone: Ticket | None = None  # of whoever found nobody there, until another comes
        self._crowded_since_s = math.inf
        self._loads = (_Load(_SUDDEN), _Load(_STEADY))
        self._alone_s = 0.0
        self._counted_from_s = 0.0
        self._busy_s = self._left = 0.0

    @property
    def under_way(self) -> int:
        """Queries that are in."""
        return self._under_way

    def expected_s(self) -> float:
        """Seconds that a query probably takes that comes in now; 0 while that is not known."""
        return (self._under_way + 1) * self._each_s

    def enter(self) -> Ticket | None:
        """Lets a query in, if there is a place for it."""
        now_s = self._clock_s()
        each_s = self._each_s
        too_much = [load.one_more(now_s, each_s) for load in self._loads]
        overloaded = any(too_much)
        rested = self._under_way == 0 and now_s - self._counted_from_s > self._lasting_s()
        if rested or (self._under_way < 2 and not overloaded):
            self._crowded_since_s = math.inf
        if self._under_way >= self._limits.places or (overloaded and self._takes_too_long(now_s)):
            return None
        if self._under_way == 0:
            self._counted_from_s = now_s
        if self._under_way == 1:
            self._crowded_since_s = min(self._crowded_since_s, now_s)
        ticket = Ticket(now_s)
        self._lone = ticket if self._under_way == 0 else None
        self._under_way += 1
        return ticket

    def leave(self, ticket: Ticket, *, answered: bool) -> None:
        """A query is done, or was given up."""
        now_s = self._clock_s()
        self._under_way -= 1
        if not answered:
            return
        if ticket is self._lone:
            self._learn_alone(now_s - ticket.entered_s)
        since_s = now_s - self._counted_from_s
        kept = math.exp(-since_s / _REMEMBERED_S)
        self._busy_s = kept * self._busy_s + since_s
        self._left = kept * self._left + 1
        self._counted_from_s = now_s

    def _takes_too_long(self, now_s: float) -> bool:
        if not self._limits.slowdown or not self._alone_s or now_s - self._crowded_since_s < self._lasting_s():
            return False
        return self.expected_s() > self._limits.slowdown * self._alone_s

    def _learn_alone(self, took_s: float) -> None:
        smoothing = _SMOOTHING_DOWN if took_s < self._alone_s else _SMOOTHING_UP
        self._alone_s += (smoothing if self._alone_s else 1.0) * (took_s - self._alone_s)

    def _lasting_s(self) -> float:
        return max(_LASTING_S, _LASTING_TIMES * self._alone_s)

    @property
    def _each_s(self) -> float:
        """What a query takes of the lane's time while it works without a break; 0 while that is not known."""
        return self._busy_s / self._left if self._left else 0.0
