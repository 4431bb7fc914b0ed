"""When a circuit breaker opens, lets one call try, and closes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from indexer.breaker import BreakerPolicy, CircuitBreaker
from indexer.errors import StoreUnavailable
from indexer.telemetry.metrics import REGISTRY, Breaker

POLICY = BreakerPolicy(failures=3, pause_s=2.0, least_s=1.0)


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("tested", POLICY, StoreUnavailable, clock_s=clock)


def call(breaker: CircuitBreaker, error: Exception | None = None) -> None:
    """A call that succeeds, or ends with the error; a KeyError does not speak against the part."""
    with breaker.attempt(lambda error: not isinstance(error, KeyError)):
        if error is not None:
            raise error


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(OSError, match="away"):
        call(breaker, OSError("away"))


def opened(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(2):
        fail(breaker)
    clock.now_s += 1.0
    fail(breaker)
    assert breaker.state is Breaker.OPEN


def gauge() -> float | None:
    return REGISTRY.get_sample_value("vitrine_breaker_state", {"part": "tested"})


def test_it_opens_after_failures_in_a_row_and_closes_after_a_try(
    breaker: CircuitBreaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert gauge() == 0
    opened(breaker, clock)
    assert gauge() == 2
    with pytest.raises(StoreUnavailable, match="3 calls in a row failed") as refused:
        call(breaker)
    assert refused.value.retry_after_s == 2.0
    clock.now_s += 1.5
    with pytest.raises(StoreUnavailable) as refused:
        call(breaker)
    assert refused.value.retry_after_s == 0.5
    clock.now_s += 0.5
    call(breaker)
    assert (breaker.state, gauge()) == (Breaker.CLOSED, 0)
    assert [message.split("; ")[0] for message in caplog.messages] == [
        "The tested failed 3 times in a row",
        "The tested answers again",
    ]


def test_failures_that_come_together_do_not_open_it(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(50):
        fail(breaker)
    assert breaker.state is Breaker.CLOSED
    call(breaker)  # it is back; what failed before does not count any more
    clock.now_s += 5
    fail(breaker)
    assert breaker.state is Breaker.CLOSED


def test_answers_that_refuse_are_answers(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)
        clock.now_s += 1
        with pytest.raises(KeyError):
            call(breaker, KeyError("no such collection"))
    assert breaker.state is Breaker.CLOSED


def test_a_try_that_fails_opens_it_again(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now_s += 2
    fail(breaker)
    with pytest.raises(StoreUnavailable) as refused:
        call(breaker)
    assert refused.value.retry_after_s == 2.0


def test_one_call_tries_and_the_others_are_refused_meanwhile(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now_s += 2
    with breaker.attempt(lambda _: True):
        assert breaker.state is Breaker.HALF_OPEN
        with pytest.raises(StoreUnavailable):
            call(breaker)
    call(breaker)


def test_a_try_that_nobody_waits_for_any_more_makes_room_for_the_next(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now_s += 2
    with pytest.raises(asyncio.CancelledError), breaker.attempt(lambda _: True):
        raise asyncio.CancelledError
    assert gauge() == 2
    call(breaker)
    assert breaker.state is Breaker.CLOSED


def test_what_was_begun_before_it_opened_decides_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    with breaker.attempt(lambda _: True):
        opened(breaker, clock)
    assert breaker.state is Breaker.OPEN
    with pytest.raises(StoreUnavailable):
        call(breaker)


def test_none_opens_without_a_number_of_failures(clock: Clock) -> None:
    breaker = CircuitBreaker("tested", BreakerPolicy(failures=0), StoreUnavailable, clock_s=clock)
    for _ in range(100):
        fail(breaker)
        clock.now_s += 1
    assert breaker.state is Breaker.CLOSED
