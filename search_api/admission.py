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

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LASTING_S = 0.08
"""Of a queue, from which on it is no burst; or so many times what a query takes alone, if that is longer."""
_LASTING_TIMES = 5
_SUDDEN = (0.2, 12, 1.5)
_STEADY = (3.0, 40, 1.3)
"""Seconds over which the load is looked at, how many queries' time that is at least, and how many may come for each
that is answered. Of clients who ask anew when they are answered as many come as are answered, however many they are,
and their queue does not grow: in simulations they are let in, as are arrivals by chance at 0.8 of the capacity. At
twice the capacity what is let in takes twice what one takes alone, after some tenths of a second in which that is
noticed. A surge of many at once, on a model that is slow, is taken for overload until they have come back."""
_BACK_TIMES, _LONGEST_BACK_S = 3, 30.0
"""See ``Traffic.back_s``; with less than three, simulated surges did not end."""
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


class Ending(enum.Enum):
    """How a query left.

    Attributes:
        ANSWERED: by the model.
        GIVEN_UP: nobody waits for it any more, or it failed.
        REFUSED: there was nothing in it for the model, as in a damaged picture: no load came with it.
    """

    ANSWERED = enum.auto()
    GIVEN_UP = enum.auto()
    REFUSED = enum.auto()


class _Load:
    """What comes against what leaves.

    Args:
        span: see ``_SUDDEN``.
    """

    def __init__(self, span: tuple[float, int, float]) -> None:
        self._least_s, self._queries, self._most = span
        self._came = self._left = 0.0
        self._last_s = -math.inf

    def count(self, now_s: float, each_s: float, *, came: int = 0, left: int = 0) -> None:
        """Takes note of queries.

        Args:
            now_s: on the monotonic clock.
            each_s: see ``_Pace``.
            came: of them, let in or not.
            left: of them, and need nothing more.
        """
        over_s = max(self._least_s, self._queries * each_s)
        kept = math.exp((self._last_s - now_s) / over_s)
        self._came = self._came * kept + came
        self._left = self._left * kept + left
        self._last_s = now_s

    @property
    def is_too_much(self) -> bool:
        """Whether more came than left, by more than bursts and chance make it."""
        return self._came > self._most * (self._left + 1)

    @property
    def excess(self) -> float:
        """How many more came than left."""
        return max(0.0, self._came - self._left)


class _Pace:
    """What each query takes while they are answered without a break, over the last second or so."""

    def __init__(self) -> None:
        self.counted_from_s = 0.0
        self._busy_s = self._answered = 0.0

    def answered(self, now_s: float, queries: int) -> None:
        """So many more are; time counts from the last one on, or from when the first came."""
        since_s = now_s - self.counted_from_s
        kept = math.exp(-since_s / _REMEMBERED_S)
        self._busy_s = kept * self._busy_s + since_s
        self._answered = kept * self._answered + queries
        self.counted_from_s = now_s

    @property
    def each_s(self) -> float:
        """0 while that is not known."""
        return self._busy_s / self._answered if self._answered else 0.0


class Traffic:
    """What comes to a model and what leaves it, in all of its lanes: clients who turn from one lane to another are no
    more of them."""

    def __init__(self) -> None:
        self._steady = _Load(_STEADY)
        self._loads = (_Load(_SUDDEN), self._steady)
        self._pace = _Pace()
        self._under_way = 0

    @property
    def is_too_much(self) -> bool:
        """Whether more comes than can be answered."""
        return any(load.is_too_much for load in self._loads)

    def back_s(self) -> float:
        """Seconds after which those who are turned away had better come back; 0 while that is not known.

        Some times what it takes to answer as many as came in vain lately: if they came back at the pace at which
        they can be answered, there would be no room for anybody else, and the overload would never end.
        """
        return min(_LONGEST_BACK_S, _BACK_TIMES * self._steady.excess * self._pace.each_s)

    def came(self, now_s: float) -> None:
        """A query did, whether it is let in or not."""
        self._count(now_s, came=1)

    def entered(self, now_s: float) -> None:
        """It is let in."""
        if self._under_way == 0:
            self._pace.counted_from_s = now_s
        self._under_way += 1

    def left(self, now_s: float, ending: Ending, queries: int) -> None:
        """One of those who were let in did, with so many queries answered."""
        self._under_way -= 1
        if ending is not Ending.GIVEN_UP:
            self._count(now_s, left=1)
        if ending is Ending.ANSWERED:
            self._pace.answered(now_s, queries)

    def _count(self, now_s: float, *, came: int = 0, left: int = 0) -> None:
        for load in self._loads:
            load.count(now_s, self._pace.each_s, came=came, left=left)


class Admission:
    """The account of one lane; its caller sees to it that one thread at a time uses those of a model.

    Args:
        limits: see there.
        traffic: of the model, which its other lanes have, too.
        clock_s: monotonic.
    """

    def __init__(
        self, limits: AdmissionLimits, traffic: Traffic, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._traffic = traffic
        self._clock_s = clock_s
        self._under_way = 0
        self._lone: Ticket | None = None  # of whoever found nobody there, until another comes
        self._crowded_since_s = math.inf
        self._alone_s = 0.0
        self._pace = _Pace()

    @property
    def under_way(self) -> int:
        """Queries that are in."""
        return self._under_way

    def expected_s(self) -> float:
        """Seconds that a query probably takes that comes in now; 0 while that is not known."""
        return (self._under_way + 1) * self._pace.each_s

    def enter(self) -> Ticket | None:
        """Lets a query in, if there is a place for it."""
        now_s = self._clock_s()
        self._traffic.came(now_s)
        overloaded = self._traffic.is_too_much
        rested = self._under_way == 0 and now_s - self._pace.counted_from_s > self._lasting_s()
        if rested or (self._under_way < 2 and not overloaded):
            self._crowded_since_s = math.inf
        if self._under_way >= self._limits.places or (overloaded and self._waits_too_long(now_s)):
            return None
        if self._under_way == 0:
            self._pace.counted_from_s = now_s
        if self._under_way == 1:
            self._crowded_since_s = min(self._crowded_since_s, now_s)
        self._traffic.entered(now_s)
        ticket = Ticket(now_s)
        self._lone = ticket if self._under_way == 0 else None
        self._under_way += 1
        return ticket

    def leave(self, ticket: Ticket, ending: Ending, queries: int = 1) -> None:
        """Who was let in is done.

        Args:
            ticket: from ``enter``.
            ending: how.
            queries: that were answered with it.
        """
        now_s = self._clock_s()
        self._under_way -= 1
        self._traffic.left(now_s, ending, queries)
        if ending is Ending.ANSWERED:
            # what several take together tells nothing of one alone
            if ticket is self._lone and queries == 1:
                self._learn_alone(now_s - ticket.entered_s)
            self._pace.answered(now_s, queries)

    def _waits_too_long(self, now_s: float) -> bool:
        if not self._limits.slowdown or not self._alone_s or now_s - self._crowded_since_s < self._lasting_s():
            return False
        # on a machine that is slower now than it was, nobody is there sooner for it: whoever need not wait is let in
        usual_s = max(self._alone_s, self._pace.each_s)
        return self._under_way > 0 and self.expected_s() > self._limits.slowdown * usual_s

    def _learn_alone(self, took_s: float) -> None:
        smoothing = _SMOOTHING_DOWN if took_s < self._alone_s else _SMOOTHING_UP
        self._alone_s += (smoothing if self._alone_s else 1.0) * (took_s - self._alone_s)

    def _lasting_s(self) -> float:
        return max(_LASTING_S, _LASTING_TIMES * self._alone_s)
