"""Token buckets in Redis: one number each, by Redis' own clock, gone when they are full."""

from __future__ import annotations

from typing import cast

from indexer.rate_limits.port import Rate, Taken
from indexer.settings import Settings
from workers.redis_connection import AsyncRedisConnection, redis_address

_PREFIX = "vitrine:bucket:"
_MICROSECONDS = 1_000_000
_TAKE = """
-- KEYS: bucket; ARGV: cost, empty to full (both in microseconds), 1 if taken whatever is left.
-- The value is the microsecond at which the bucket is full again. Gives whether it was taken, and what is missing now.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local span = tonumber(ARGV[2])
local empty = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or '0') - now, 0), span)
local wanted = empty + tonumber(ARGV[1])
local allowed = wanted <= span
if allowed or ARGV[3] == '1' then
  empty = math.min(wanted, span)
  redis.call('SET', KEYS[1], string.format('%.0f', now + empty), 'PX', math.max(1, math.ceil(empty / 1000)))
end
return {allowed and 1 or 0, empty}
"""


def open_redis_buckets(settings: Settings) -> RedisBuckets:
    """The buckets that all API processes with these settings share; connects when they are asked first.

    Raises:
        ConfigurationError: the address is missing or none.
    """
    return RedisBuckets(AsyncRedisConnection(redis_address(settings)))


class RedisBuckets:
    """See ``TokenBuckets``.

    Args:
        connection: closed with the buckets.
    """

    def __init__(self, connection: AsyncRedisConnection) -> None:
        self._redis = connection
        self._take = connection.script(_TAKE)

    async def take(self, name: str, rate: Rate, tokens: float = 1.0, *, force: bool = False) -> Taken:
        """See ``TokenBuckets``."""
        cost_us, span_us = (round(value_s * _MICROSECONDS) for value_s in (rate.cost_s(tokens), rate.span_s))
        answer = await self._take([_PREFIX + name], [cost_us, span_us, int(force)])
        allowed, empty_us = cast("tuple[int, int]", answer)
        return Taken.of(rate, tokens, empty_us / _MICROSECONDS, allowed=bool(allowed))

    async def ping(self) -> None:
        """See ``TokenBuckets``."""
        await self._redis.ping()

    async def close(self) -> None:
        """See ``TokenBuckets``."""
        await self._redis.close()
