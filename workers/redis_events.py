"""The event log in Redis: one state a product, compared and set in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from indexer.errors import EventsUnavailable
from indexer.events.delays import KEPT_DELAYS, percentile
from indexer.events.merge import merge, newest
from indexer.events.port import Appended, Applied, EventLog, ProductEvent, ProductState
from indexer.events.states import state_from_text, state_to_text
from indexer.settings import Settings
from workers.names import of_tenant
from workers.redis_connection import RedisConnection, guarded_connection

_T = TypeVar("_T")
_CHUNK = 500
_EVENTS = "vitrine:events"
_TENANTS = "vitrine:events:tenants"
"""Tenants that have a log."""

_SET = """
-- ARGV: product, state as the caller saw it, new state, time, newest version, 1 if it is no whole description
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
local sequence = redis.call('INCR', KEYS[5])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
redis.call('ZADD', KEYS[3], sequence, ARGV[1])
if ARGV[6] == '1' then redis.call('HSET', KEYS[4], ARGV[1], ARGV[5]) else redis.call('HDEL', KEYS[4], ARGV[1]) end
return sequence
"""

_AGAIN = """
-- ARGV: time, products
local found = 0
for index = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[index]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[index], ARGV[1])
    redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[5]), ARGV[index])
    found = found + 1
  end
end
return found
"""

_READ = """
-- ARGV: products; gives product, state, time, sequence of each that there is
local found = {}
for _, product in ipairs(ARGV) do
  local state = redis.call('HGET', KEYS[1], product)
  if state then
    found[#found + 1] = {product, state, redis.call('HGET', KEYS[2], product), redis.call('ZSCORE', KEYS[3], product)}
  end
end
return found
"""

_SINCE = """
-- ARGV: sequence, most products; as _READ, lowest sequence first
local found = {}
for _, product in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
  found[#found + 1] = {product, redis.call('HGET', KEYS[1], product), redis.call('HGET', KEYS[2], product),
    redis.call('ZSCORE', KEYS[3], product)}
end
return found
"""

_FORGET = """
-- ARGV: time, sequence, products; forgets those whose newest version is older and that are applied
local forgotten = 0
for index = 3, #ARGV do
  local product = ARGV[index]
  local version = redis.call('HGET', KEYS[4], product)
  if version and version < ARGV[1] and tonumber(redis.call('ZSCORE', KEYS[3], product)) <= tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], product)
    redis.call('HDEL', KEYS[2], product)
    redis.call('ZREM', KEYS[3], product)
    redis.call('HDEL', KEYS[4], product)
    forgotten = forgotten + 1
  end
end
return forgotten
"""

_ADVANCE = """
-- KEYS: applied, delays; ARGV: sequence, most delays, delays
local before = tonumber(redis.call('HGET', KEYS[1], 'sequence') or '0')
redis.call('HSET', KEYS[1], 'sequence', math.max(before, tonumber(ARGV[1])))
redis.call('HINCRBY', KEYS[1], 'events', #ARGV - 2)
for index = 3, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[index]) end
redis.call('LTRIM', KEYS[2], -ARGV[2], -1)
"""


def open_redis_event_logs(settings: Settings) -> RedisEventLogs:
    """The logs that the settings name.

    Raises:
        ConfigurationError: the address is missing or none.
        EventsUnavailable: Redis does not answer.
    """
    connection = guarded_connection(settings, "event log", EventsUnavailable)
    return RedisEventLogs(connection)


class RedisEventLogs:
    """See ``EventLogs``; all over one connection.

    Args:
        connection: raises ``EventsUnavailable``; closed with the logs.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    def of(self, tenant: str) -> EventLog:
        """See ``EventLogs``."""
        return RedisEventLog(self._redis, tenant)

    def tenants(self) -> Sequence[str]:
        """See ``EventLogs``."""
        return sorted(self._redis.call("SMEMBERS", _TENANTS))

    def close(self) -> None:
        """See ``EventLogs``."""
        self._redis.close()


class RedisEventLog:
    """See ``EventLog``.

    Args:
        connection: raises ``EventsUnavailable``; closed with the log.
        tenant: whose it is; empty without tenants.
    """

    def __init__(self, connection: RedisConnection, tenant: str = "") -> None:
        self._redis = connection
        self._tenant = tenant
        self._prefix = of_tenant(_EVENTS, tenant)
        # "passing" has, of products without a whole description, the newest version in their state
        names = ("states", "appended", "order", "passing", "counter")
        self._keys = tuple(f"{self._prefix}:{name}" for name in names)
        _, _, _, self._passing, self._counter = self._keys

    def append(self, events: Sequence[ProductEvent]) -> Sequence[Appended]:
        """See ``EventLog``."""
        if self._tenant:
            self._redis.call("SADD", _TENANTS, self._tenant)  # first: a log that nobody looks into is never applied
        known = self._texts(list(dict.fromkeys(event.product_id for event in events)))
        return [self._append(event, known) for event in events]

    def again(self, product_ids: Sequence[str]) -> int:
        """See ``EventLog``."""
        found = 0
        for part in _parts(list(dict.fromkeys(product_ids))):
            found += self._redis.run_script(_AGAIN, self._keys, (_text(datetime.now(UTC)), *part))
        return found

    def latest(self, product_ids: Sequence[str]) -> Mapping[str, ProductState]:
        """See ``EventLog``."""
        return {product_id: _state(row) for product_id, row in self._texts(product_ids).items()}

    def since(self, sequence: int, limit: int = 256) -> Sequence[ProductState]:
        """See ``EventLog``."""
        return [_state(row) for row in self._redis.run_script(_SINCE, self._keys, (sequence, limit))]

    def position(self) -> int:
        """See ``EventLog``."""
        return int(self._redis.call("GET", self._counter) or 0)

    def applied(self, alias: str) -> Applied:
        """See ``EventLog``."""
        applied, delays = self._progress_keys(alias)
        sequence, events = self._redis.call("HMGET", applied, "sequence", "events")
        if sequence is None:
            return Applied()
        delays_s = [float(item) for item in self._redis.call("LRANGE", delays, 0, -1)]
        return Applied(int(sequence), int(events), percentile(delays_s, 50), percentile(delays_s, 95))

    def advance(self, alias: str, sequence: int, delays_s: Sequence[float] = ()) -> None:
        """See ``EventLog``."""
        keys = self._progress_keys(alias)
        for part in _parts(list(delays_s)) or [[]]:
            self._redis.run_script(_ADVANCE, keys, (sequence, KEPT_DELAYS, *part))

    def compact(self, before: datetime, sequence: int) -> int:
        """See ``EventLog``."""
        limit = _text(before)
        versions: Mapping[str, str] = self._redis.call("HGETALL", self._passing)
        old = [product_id for product_id, version in versions.items() if version < limit]
        return sum(self._redis.run_script(_FORGET, self._keys, (limit, sequence, *part)) for part in _parts(old))

    def close(self) -> None:
        """See ``EventLog``."""
        self._redis.close()

    def _append(self, event: ProductEvent, known: dict[str, Sequence[str]]) -> Appended:
        product_id = event.product_id
        while True:
            row = known.get(product_id)
            merged = merge(_state(row) if row else None, event)
            if not merged.changed:
                return Appended(product_id, merged.state.sequence, merged.stale, merged.ignored_fields)
            state = merged.state
            is_passing = state.base is None or state.base.product is None
            version = _text(newest(state) or event.updated_at)
            now, seen, text = _text(datetime.now(UTC)), row[1] if row else "", state_to_text(state)
            arguments = (product_id, seen, text, now, version, int(is_passing))
            sequence = self._redis.run_script(_SET, self._keys, arguments)
            if sequence:
                known[product_id] = (product_id, text, now, str(sequence))
                return Appended(product_id, sequence, merged.stale, merged.ignored_fields)
            known.pop(product_id, None)
            known |= self._texts([product_id])  # another was faster

    def _progress_keys(self, alias: str) -> tuple[str, str]:
        return f"{self._prefix}:applied:{alias}", f"{self._prefix}:delays:{alias}"

    def _texts(self, product_ids: Sequence[str]) -> dict[str, Sequence[str]]:
        """Product, state, time and sequence as Redis has them."""
        return {row[0]: row for part in _parts(product_ids) for row in self._redis.run_script(_READ, self._keys, part)}


def _parts(items: Sequence[_T]) -> list[Sequence[_T]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]


def _state(row: Sequence[str]) -> ProductState:
    product_id, text, appended_at, sequence = row
    return state_from_text(product_id, text, int(float(sequence)), datetime.fromisoformat(appended_at))


def _text(moment: datetime) -> str:
    """In UTC with all six digits, so that the order of texts is the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
