"""A request's place in a lane: taken when it is needed, once, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from indexer.errors import Overloaded
from search_api.lanes import Place
from search_api.places import LanePlace


class Counted:
    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.taken = self.given_back = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        self.taken += 1
        if self.full:
            raise Overloaded("Full.", retry_after_s=1.0)
        try:
            yield Place()
        finally:
            self.given_back += 1


def test_a_place_is_taken_when_the_first_needs_it_and_held_to_the_end() -> None:
    lane = Counted()
    with ExitStack() as held:
        place = LanePlace(lane.place, held)
        assert lane.taken == 0
        assert place.get() is place.get()
        assert (lane.taken, lane.given_back) == (1, 0)
    assert (lane.taken, lane.given_back) == (1, 1)


def test_a_place_that_nobody_needed_is_not_taken() -> None:
    lane = Counted()
    with ExitStack() as held:
        LanePlace(lane.place, held)
    assert lane.taken == 0


def test_it_is_given_back_when_the_request_fails() -> None:
    lane = Counted()
    with pytest.raises(ZeroDivisionError), ExitStack() as held:
        LanePlace(lane.place, held).get()
        raise ZeroDivisionError
    assert (lane.taken, lane.given_back) == (1, 1)


def test_who_is_refused_is_refused_once() -> None:
    lane = Counted(full=True)
    with ExitStack() as held:
        place = LanePlace(lane.place, held)
        for _ in range(3):
            with pytest.raises(Overloaded):
                place.get()
    assert lane.taken == 1
