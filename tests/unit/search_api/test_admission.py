"""Who is let into a lane: bursts are, a lasting queue is kept short."""

from __future__ import annotations

import pytest

from search_api.admission import Admission, AdmissionLimits, Ticket

ALONE_S = 0.010


class Lane:
    """A server of one query at a time, in simulated time."""

    def __init__(self, slowdown: float, places: int = 64) -> None:
        self.now_s = 50.0
        self.admission = Admission(AdmissionLimits(places, slowdown), lambda: self.now_s)
        self.inside: list[Ticket] = []
        self.refused = 0
        self.took_s: list[float] = []

    def come(self) -> None:
        ticket = self.admission.enter()
        if ticket is None:
            self.refused += 1
        else:
            self.inside.append(ticket)

    def work(self, seconds: float = ALONE_S) -> None:
        """Answers the first, which takes so long."""
        self.now_s += seconds
        if self.inside:
            ticket = self.inside.pop(0)
            self.took_s.append(self.now_s - ticket.entered_s)
            self.admission.leave(ticket, answered=True)

    def some_alone(self) -> None:
        for _ in range(20):
            self.come()
            self.work()
            self.now_s += 0.1
        self.took_s.clear()


def test_a_burst_waits_and_is_answered() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for _ in range(40):
        lane.come()
    assert lane.refused == 0
    while lane.inside:
        lane.work()
    assert len(lane.took_s) == 40


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_twice_of_what_can_be_answered_is_halved_and_the_rest_waits_shortly(speed: float) -> None:
    """Whatever the lane's speed, which it measures itself."""
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    alone_s = ALONE_S / speed
    for _ in range(60):  # what it takes alone is learnt anew
        lane.come()
        lane.work(alone_s)
    lane.took_s.clear()
    rounds = round(20 / alone_s)
    for _ in range(rounds):
        lane.come()
        lane.come()
        lane.work(alone_s)
    answered = sorted(lane.took_s)
    assert len(answered) == rounds  # none of its time is lost
    assert lane.refused == pytest.approx(rounds, rel=0.1)
    later = lane.took_s[len(lane.took_s) // 4 :]  # without the burst that it begins as
    assert max(later) <= 3 * alone_s
    # and when it is over, a burst is let in again
    while lane.inside:
        lane.work(alone_s)
    lane.now_s += 0.6
    refused = lane.refused
    for _ in range(10):
        lane.come()
    assert lane.refused == refused


def test_below_its_capacity_nobody_is_refused() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for number in range(4000):
        if number % 10 < 7:
            lane.come()
        if number % 50 == 0:  # and a few at once now and then
            for _ in range(5):
                lane.come()
        lane.work()
    assert lane.refused == 0


def test_without_a_limit_only_places_count() -> None:
    lane = Lane(slowdown=0, places=30)
    lane.some_alone()
    for _ in range(3000):
        lane.come()
        lane.come()
        lane.work()
    assert lane.admission.under_way in {29, 30}


def test_who_gives_up_teaches_nothing() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    before = lane.admission.expected_s()
    ticket = lane.admission.enter()
    assert ticket is not None
    lane.now_s += 30
    lane.admission.leave(ticket, answered=False)
    assert lane.admission.under_way == 0
    assert lane.admission.expected_s() == before
