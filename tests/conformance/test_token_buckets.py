"""What every implementation of token buckets has to do: in memory, in Redis, and in Redis with memory behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from indexer.rate_limits.fallback import FallbackBuckets
from indexer.rate_limits.memory import MemoryBuckets
from indexer.rate_limits.port import Rate, TokenBuckets
from indexer.settings import load_settings
from workers.redis_buckets import open_redis_buckets

SLOW = Rate(per_s=0.01, burst=5)
"""Nothing to speak of flows in while a test runs."""
Run = Callable[[Callable[[TokenBuckets], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "redis", "fallback"])
def run(request: pytest.FixtureRequest) -> Run:
    """Gives buckets to a test's coroutine, in an event loop of its own."""
    if request.param == "memory":
        make: Callable[[], TokenBuckets] = MemoryBuckets
    else:
        settings = load_settings({"redis_url": request.getfixturevalue("redis_url")}).settings

        def make() -> TokenBuckets:
            shared = open_redis_buckets(settings)
            return FallbackBuckets(shared, MemoryBuckets(most=1)) if request.param == "fallback" else shared

    def run_it(work: Callable[[TokenBuckets], Awaitable[None]]) -> None:
        async def whole() -> None:
            buckets = make()
            try:
                await buckets.ping()
                await work(buckets)
            finally:
                await buckets.close()

        asyncio.run(whole())

    return run_it


def test_a_burst_is_allowed_and_then_no_more(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        taken = [await buckets.take("a", SLOW) for _ in range(7)]
        assert [item.allowed for item in taken] == [True] * 5 + [False] * 2
        assert [round(item.remaining) for item in taken] == [4, 3, 2, 1, 0, 0, 0]
        assert taken[4].retry_after_s == 0
        assert taken[5].retry_after_s == pytest.approx(100, abs=5)
        assert taken[6].retry_after_s <= taken[5].retry_after_s, "what is refused costs nothing"
        assert taken[6].full_after_s == pytest.approx(500, abs=5)

    run(work)


def test_tokens_flow_in_with_time(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        rate = Rate(per_s=20, burst=1)
        assert (await buckets.take("a", rate)).allowed
        refused = await buckets.take("a", rate)
        assert not refused.allowed
        await asyncio.sleep(refused.retry_after_s + 0.005)
        assert (await buckets.take("a", rate)).allowed

    run(work)


def test_buckets_are_apart(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        while (await buckets.take("a", SLOW)).allowed:
            pass
        assert (await buckets.take("b", SLOW)).remaining == pytest.approx(4)

    run(work)


def test_many_at_once_take_no_more_than_there_is(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        taken = await asyncio.gather(*(buckets.take("a", SLOW) for _ in range(40)))
        assert sum(item.allowed for item in taken) == 5

    run(work)


def test_small_requests_take_parts_of_a_token(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        taken = [await buckets.take("a", SLOW, 0.1) for _ in range(51)]
        assert sum(item.allowed for item in taken) == 50

    run(work)


def test_a_fine_takes_what_there_is(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        assert (await buckets.take("a", SLOW, 3, force=True)).allowed
        fined = await buckets.take("a", SLOW, 4, force=True)
        assert (fined.allowed, round(fined.remaining)) == (False, 0)
        refused = await buckets.take("a", SLOW)
        assert not refused.allowed
        assert refused.retry_after_s == pytest.approx(100, abs=5), "nobody owes more than a whole bucket"

    run(work)


def test_a_smaller_bucket_than_before_is_at_most_empty(run: Run) -> None:
    async def work(buckets: TokenBuckets) -> None:
        await buckets.take("a", Rate(per_s=0.001, burst=100), 100)
        assert (await buckets.take("a", Rate(per_s=1, burst=5))).retry_after_s == pytest.approx(1, abs=0.5)

    run(work)
