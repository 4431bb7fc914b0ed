"""Who is let into a lane: bursts are, a lasting queue is kept short."""

from __future__ import annotations

import heapq
import math
import random

import pytest

from search_api.admission import Admission, AdmissionLimits, Ending, Ticket, Traffic

ALONE_S = 0.010


class Lane:
    """A server of one query at a time, in simulated time."""

    def __init__(self, slowdown: float, places: int = 64) -> None:
        self.now_s = 50.0
        self.traffic = Traffic()
        self.admission = Admission(AdmissionLimits(places, slowdown), self.traffic, lambda: self.now_s)
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
            self.admission.leave(ticket, Ending.ANSWERED)

    def work_at_twice_the_capacity(self, rounds: int, seconds: float = ALONE_S) -> None:
        """Two come for each that is answered."""
        for _ in range(rounds):
            self.come()
            self.come()
            self.work(seconds)

    def some_alone(self) -> None:
        for _ in range(20):
            self.come()
            self.work()
            self.now_s += 0.1
        self.took_s.clear()


class Clients:
    """Who ask one question after the other of a lane, and come back when they are told to.

    Args:
        lane: is not asked by anybody else.
        count: of them.
        begin_s: over which they begin.
        alone_s: what the lane takes for each question.
    """

    def __init__(self, lane: Lane, count: int, begin_s: float, alone_s: float) -> None:
        self._lane = lane
        self._alone_s = alone_s
        self._chance = random.Random(4)
        self._ask_at_s = [lane.now_s + self._chance.uniform(0, begin_s) for _ in range(count)]
        heapq.heapify(self._ask_at_s)

    def ask(self, rounds: int) -> None:
        """Until the lane has answered so often, or has waited for them."""
        lane = self._lane
        for _ in range(rounds):
            takes_s = self._alone_s * self._chance.uniform(0.5, 1.5)
            done_s = lane.now_s + takes_s if lane.inside else self._ask_at_s[0]
            while self._ask_at_s and self._ask_at_s[0] <= done_s:
                lane.now_s = max(lane.now_s, heapq.heappop(self._ask_at_s))
                refused = lane.refused
                lane.come()
                if lane.refused > refused:
                    heapq.heappush(self._ask_at_s, lane.now_s + max(1, math.ceil(lane.traffic.back_s())))
            if lane.now_s < done_s:
                lane.work(done_s - lane.now_s)
                heapq.heappush(self._ask_at_s, lane.now_s + self._chance.uniform(0, 0.02))


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
    lane.work_at_twice_the_capacity(rounds, alone_s)
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


def test_a_disturbed_machine_is_not_taken_for_normal() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for _ in range(10):  # something else has the processor for a while
        lane.come()
        lane.work(10 * ALONE_S)
    lane.took_s.clear()
    lane.work_at_twice_the_capacity(2000)
    assert max(lane.took_s[1000:]) <= 7 * ALONE_S
    for _ in range(300):  # for good: that is normal now
        while lane.inside:
            lane.work()
        lane.now_s += 1
        lane.come()
        lane.work(10 * ALONE_S)
    lane.took_s.clear()
    lane.work_at_twice_the_capacity(1000, 10 * ALONE_S)
    assert 15 * ALONE_S <= max(lane.took_s[500:]) <= 30 * ALONE_S


@pytest.mark.parametrize("alone_s", [0.01, 0.06, 0.2])
def test_chance_is_no_overload(alone_s: float) -> None:
    """Arrivals by chance: hardly anybody is refused at eight tenths of the capacity, and overload is seen soon."""
    share, _ = _by_chance(0.7, alone_s, seconds=600)
    assert share <= 0.02
    share, _ = _by_chance(0.8, alone_s, seconds=600)
    assert share <= 0.04
    share, took = _by_chance(2.0, alone_s, seconds=600)
    assert share == pytest.approx(0.5, abs=0.05)
    assert sum(took_s > 3 * alone_s for took_s in took) <= 0.01 * len(took)


@pytest.mark.parametrize(("clients", "alone_s"), [(32, 0.01), (8, 0.06), (8, 0.2)])
def test_clients_who_wait_for_their_answers_are_let_in(clients: int, alone_s: float) -> None:
    """However long they keep the lane busy: their queue does not grow."""
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    begin_s = max(3, 40 * alone_s)  # all at once they are a surge, which nobody can tell from more to come
    Clients(lane, clients, begin_s, alone_s).ask(3000)
    assert lane.refused == 0
    assert len(lane.took_s) > 2000


def test_a_surge_of_clients_who_come_back_when_they_are_told_to_ends() -> None:
    """Twice as many as can be answered at once: if each came back after a second, they would be refused forever."""
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    clients = Clients(lane, 32, begin_s=0.05, alone_s=0.03)
    clients.ask(2000)
    refused = lane.refused
    assert 0 < refused < 300
    clients.ask(2000)
    assert lane.refused == refused


def test_clients_who_turn_from_one_lane_to_the_other_are_no_more_of_them() -> None:
    chance = random.Random(3)
    now_s, traffic = 50.0, Traffic()
    lanes = [Admission(AdmissionLimits(64, 2.5), traffic, lambda: now_s) for _ in range(2)]
    waiting: list[list[Ticket]] = [[], []]
    asking = [now_s + number / 10 for number in range(32)]
    heapq.heapify(asking)
    answered, busy_s, turn = 0, now_s, 0
    while answered < 6000:
        busy_s = max(busy_s, asking[0]) if not any(waiting) else busy_s
        while asking and asking[0] <= busy_s:
            now_s = max(now_s, heapq.heappop(asking))
            lane = int(now_s) // 2 % 2 if chance.random() < 0.9 else chance.randrange(2)
            ticket = lanes[lane].enter()
            assert ticket is not None
            waiting[lane].append(ticket)
        turn = 1 - turn if waiting[1 - turn] else turn
        batch, waiting[turn] = waiting[turn][:8], waiting[turn][8:]
        now_s = max(now_s, busy_s)
        for ticket in batch:
            lanes[turn].leave(ticket, Ending.ANSWERED)
            answered += 1
            heapq.heappush(asking, now_s + chance.uniform(0, 0.005))
        busy_s = now_s + ALONE_S * max(1, len(waiting[turn][:8])) * chance.uniform(0.5, 1.5)


def test_who_finds_nobody_is_let_in_whatever_came_before() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for _ in range(300):  # too much, on a machine that has slowed down
        for _ in range(4):
            lane.come()
        lane.work(4 * ALONE_S)
    assert lane.refused > 500
    while lane.inside:
        lane.work(4 * ALONE_S)
    refused = lane.refused
    for _ in range(100):
        lane.come()
        lane.work(ALONE_S / 20)
    assert lane.refused == refused


def test_what_is_refused_for_itself_is_no_load() -> None:
    """Damaged pictures, one after the other: photos in between are let in."""
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for _ in range(2000):
        for _ in range(3):
            ticket = lane.admission.enter()
            assert ticket is not None
            lane.now_s += ALONE_S / 10
            lane.admission.leave(ticket, Ending.REFUSED)
        lane.come()
        lane.come() if len(lane.inside) < 4 else None
        lane.work(0.7 * ALONE_S)
    assert lane.refused == 0


def _by_chance(load: float, alone_s: float, *, seconds: float) -> tuple[float, list[float]]:
    """Share that is refused, and seconds of those who are not, after some time with little to do."""
    chance = random.Random(1)
    lane = Lane(slowdown=2.5)
    begin_s, came, before, due_s = lane.now_s + 20, 0, 0, lane.now_s
    while lane.now_s < begin_s + seconds:
        is_idle = not lane.inside
        end_s = due_s if is_idle else lane.now_s + alone_s * chance.uniform(0.9, 1.1)
        while due_s <= end_s:
            lane.now_s = due_s
            if lane.now_s < begin_s:
                before = lane.refused
                lane.took_s.clear()
            else:
                came += 1
            due_s += chance.expovariate((load if lane.now_s >= begin_s else 0.3) / alone_s)
            lane.come()
            if is_idle:
                break  # the one who came is served from now on
        else:
            lane.work(end_s - lane.now_s)
    return (lane.refused - before) / came, lane.took_s


def test_without_a_limit_only_places_count() -> None:
    lane = Lane(slowdown=0, places=30)
    lane.some_alone()
    lane.work_at_twice_the_capacity(3000)
    assert lane.admission.under_way in {29, 30}


def test_who_gives_up_teaches_nothing() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    before = lane.admission.expected_s()
    ticket = lane.admission.enter()
    assert ticket is not None
    lane.now_s += 30
    lane.admission.leave(ticket, Ending.GIVEN_UP)
    assert lane.admission.under_way == 0
    assert lane.admission.expected_s() == before


def test_what_many_queries_of_one_request_take_is_no_measure_of_one_alone() -> None:
    lane = Lane(slowdown=2.5)
    lane.some_alone()
    for _ in range(200):  # each by itself, with 40 queries that are answered together
        ticket = lane.admission.enter()
        assert ticket is not None
        lane.now_s += 40 * ALONE_S
        lane.admission.leave(ticket, Ending.ANSWERED, 40)
    assert lane.admission.expected_s() == pytest.approx(ALONE_S, rel=0.05)
    lane.work_at_twice_the_capacity(200)
    lane.took_s.clear()
    lane.work_at_twice_the_capacity(200)
    assert max(lane.took_s) < 4 * ALONE_S
