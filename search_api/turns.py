"""Whose turn it is at the model, and on how much of it: one pass on all of its cores, or some on a share each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_api.lanes import Lane, Waiting

_WORTH_SHARING = 4
"""Queries a share that wait, from which on the cores are shared (docs/performance.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A pass that may begin.

    Attributes:
        lane: whose queries they are.
        batch: at least one.
        shares: of the cores, one of which it runs on; 1: on all.
    """

    lane: Lane[Any]
    batch: Sequence[Waiting[Any]]
    shares: int


class Turns:
    """Gives turns to the threads that use a model; lanes that have something waiting take them one after the other.

    A pass has all cores, so that it is over the soonest. While so many queries wait that each share of the cores has a
    batch of its own, passes run beside each other on a share each: more are answered so, as none of them waits for a
    core that something else has taken, and a query of another lane waits for the end of the nearest one.

    Args:
        lanes: of the model.
        ready: guards their queues, and is told of what comes.
    """

    def __init__(self, lanes: Sequence[Lane[Any]], ready: threading.Condition) -> None:
        self._lanes = list(lanes)
        self._ready = ready
        self._under_way: list[Turn] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether there are no more."""
        return self._closed

    def take(self, shares: int, *, shared: bool = False) -> Turn | None:
        """The next turn, as soon as there is one; to be ended by ``end``. None when there are no more.

        Args:
            shares: that the model's cores can be divided into.
            shared: whether only turns on a share are wanted. All that run on all cores had better run in one thread:
                where two took turns, each with threads of torch's behind it, a photo alone took a third longer.
        """
        with self._ready:
            while not self._closed and not self._may_begin(shares, shared=shared):
                self._ready.wait()
            if self._closed:
                return None
            turn = self._next(shares)
            self._under_way.append(turn)
            return turn

    def end(self, turn: Turn) -> None:
        """Its pass is over."""
        with self._ready:
            self._under_way.remove(turn)
            self._ready.notify_all()

    def close(self) -> None:
        """There are no more; those under way may end."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _may_begin(self, shares: int, *, shared: bool) -> bool:
        alone = any(turn.shares == 1 for turn in self._under_way)
        return self._depth > 0 and not alone and (not shared or self._is_shared(shares))

    def _is_shared(self, shares: int) -> bool:
        return bool(self._under_way) or self._depth >= _WORTH_SHARING * shares

    @property
    def _depth(self) -> int:
        return sum(lane.depth for lane in self._lanes)

    def _next(self, shares: int) -> Turn:
        if not self._is_shared(shares):
            shares = 1
        lane = next(lane for lane in self._lanes if lane.depth)
        # whose turn it was is asked last next time
        self._lanes.remove(lane)
        self._lanes.append(lane)
        free = shares - len(self._under_way)
        # what waits is divided among the shares that are free, unless another lane takes the rest of them
        return Turn(lane, lane.take(shares, free if lane.depth == self._depth else 1), shares)
