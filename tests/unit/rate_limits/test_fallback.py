"""Limits hold while Redis is away, by each process alone, and are shared again when it is back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from indexer.rate_limits.fallback import FallbackBuckets
from indexer.rate_limits.memory import MemoryBuckets
from indexer.rate_limits.port import Rate
from indexer.settings import load_settings
from tests.redis_server import RedisServer
from workers.redis_buckets import open_redis_buckets

RATE = Rate(per_s=0.01, burst=3)
_PATIENCE_S = 30.0


def opened(url: str) -> FallbackBuckets:
    return FallbackBuckets(open_redis_buckets(load_settings({"redis_url": url}).settings), MemoryBuckets(), look_s=0.02)


async def until(told: Callable[[], Awaitable[bool]]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not await told():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)


def test_two_processes_share_a_bucket(redis_url: str) -> None:
    async def work() -> None:
        first, second = opened(redis_url), opened(redis_url)
        taken = [await buckets.take("a", RATE) for buckets in (first, second, first, second, first)]
        assert [item.allowed for item in taken] == [True] * 3 + [False] * 2
        await first.close()
        await second.close()

    asyncio.run(work())


def test_redis_goes_away_and_comes_back(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        buckets = opened(redis_server.url)
        assert (await buckets.take("a", RATE, 3)).allowed
        redis_server.kill()
        taken = await asyncio.gather(*(buckets.take("a", RATE) for _ in range(20)))
        assert sum(item.allowed for item in taken) == 3, "memory's own bucket, which was full"
        for _ in range(20):
            assert not (await buckets.take("a", RATE)).allowed
            await asyncio.sleep(0.01)
        assert len(caplog.messages) == 1, "said once"
        assert "counted by each process alone until Redis is back" in caplog.messages[0]

        redis_server.start()  # its append-only file may have the bucket, or not: a new one tells
        await until(lambda: shared(buckets))
        assert caplog.messages[1:] == ["Rate limits are counted in Redis again."]
        await buckets.close()

    async def shared(buckets: FallbackBuckets) -> bool:
        """Whether what another process takes is missing here."""
        other = opened(redis_server.url)
        name = f"bucket {time.monotonic()}"
        await other.take(name, RATE, 3)
        await other.close()
        return not (await buckets.take(name, RATE)).allowed

    with caplog.at_level(logging.WARNING, "indexer.rate_limits"):
        asyncio.run(work())


def test_a_redis_that_hangs_is_waited_for_once(redis_server: RedisServer) -> None:
    async def work() -> None:
        buckets = opened(redis_server.url)
        await buckets.take("a", RATE)
        redis_server.pause()
        for _ in range(3):
            assert (await buckets.take("b", RATE)).allowed
        refused = await asyncio.gather(*(buckets.take("b", RATE) for _ in range(100)))
        assert not any(item.allowed for item in refused)
        redis_server.resume()
        await buckets.close()

    asyncio.run(work())


def test_one_that_is_not_there_at_the_start_is_no_reason_not_to_serve() -> None:
    async def work() -> None:
        buckets = opened("redis://127.0.0.1:1/0")
        assert [(await buckets.take("a", RATE)).allowed for _ in range(4)] == [True] * 3 + [False]
        await buckets.close()

    asyncio.run(work())
