"""Buckets in memory have a bound, and what is forgotten first is what matters least."""

from __future__ import annotations

import asyncio

from indexer.rate_limits.memory import MemoryBuckets
from indexer.rate_limits.port import Rate

RATE = Rate(per_s=1, burst=10)


def test_their_number_is_bounded_and_the_emptiest_stay() -> None:
    async def work() -> None:
        now_s = 100.0
        buckets = MemoryBuckets(most=100, clock=lambda: now_s)
        await buckets.take("greedy", RATE, 10)
        for number in range(5_000):
            await buckets.take(f"address {number}", RATE)
            assert len(buckets) <= 100
        assert not (await buckets.take("greedy", RATE)).allowed

    asyncio.run(work())


def test_full_buckets_are_forgotten_first() -> None:
    async def work() -> None:
        now_s = 100.0
        buckets = MemoryBuckets(most=10, clock=lambda: now_s)
        for number in range(10):
            await buckets.take(f"early {number}", RATE)
        now_s = 101.5
        await buckets.take("late", RATE)
        assert len(buckets) == 1

    asyncio.run(work())
