"""Index runs that were asked for over HTTP, in Redis: taken by whichever worker is first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from indexer.errors import RunNotFound
from indexer.ledger.port import new_run_id
from indexer.requests.port import RequestState, RunOrder, RunRequest
from workers.names import OPEN_REQUESTS, REQUESTS, of_tenant, request_key
from workers.redis_connection import RedisConnection

_ENDED = frozenset({RequestState.FINISHED, RequestState.FAILED})


class RunRequests:
    """Their records; every method raises its connection's error if Redis does not answer."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    def add(self, order: RunOrder) -> RunRequest:
        """Records what is asked for."""
        request_id, now = new_run_id(), _now_text()
        values = {"order": json.dumps(asdict(order)), "state": RequestState.QUEUED.value, "requested_at": now}
        self._write(request_id, values | {"updated_at": now})
        self._redis.call("ZADD", of_tenant(REQUESTS, order.tenant), 0, request_id)
        # last: what is open is whole
        self._redis.call("SADD", OPEN_REQUESTS, request_id)
        return self.get(request_id)

    def get(self, request_id: str) -> RunRequest:
        """A request as it was last recorded.

        Raises:
            RunNotFound: there is none.
        """
        values: Mapping[str, str] = self._redis.call("HGETALL", request_key(request_id))
        if not values:
            raise RunNotFound(f"No index run {request_id} was asked for.")
        state = RequestState(values["state"])
        return RunRequest(
            request_id=request_id,
            order=RunOrder(**json.loads(values["order"])),
            state=state,
            run_id=values.get("run_id", ""),
            fraction=1.0 if state is RequestState.FINISHED else 0.0,
            reason=values.get("reason", ""),
            requested_at=datetime.fromisoformat(values["requested_at"]),
            updated_at=datetime.fromisoformat(values["updated_at"]),
        )

    def latest(self, limit: int, tenant: str = "") -> list[RunRequest]:
        """Newest first."""
        if limit < 1:
            return []
        found = self._redis.call("ZREVRANGE", of_tenant(REQUESTS, tenant), 0, limit - 1)
        return [self.get(request_id) for request_id in found]

    def next_open(self) -> str:
        """The oldest that nobody has begun, empty if there is none."""
        return min(self._redis.call("SMEMBERS", OPEN_REQUESTS), default="")

    def note(self, request_id: str, state: RequestState, run_id: str, reason: str = "") -> None:
        """Records what became of a request; it is not open any more."""
        self._write(request_id, {"state": state.value, "run_id": run_id, "reason": reason, "updated_at": _now_text()})
        self._redis.call("SREM", OPEN_REQUESTS, request_id)

    def _write(self, request_id: str, values: Mapping[str, str]) -> None:
        flat = [part for pair in values.items() for part in pair]
        self._redis.call("HSET", request_key(request_id), *flat)


def is_ended(request: RunRequest) -> bool:
    """Whether nothing more becomes of it."""
    return request.state in _ENDED


def _now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
