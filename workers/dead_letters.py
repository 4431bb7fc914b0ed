"""Messages that nobody could use, with the reason; kept for people to look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from workers.names import DEAD_LETTERS
from workers.redis_connection import RedisConnection

KEPT_LETTERS = 10_000
"""The latest ones; a flood of them must not fill Redis."""


class DeadLetters:
    """The list of them, newest first; every method raises ``LedgerUnavailable`` if Redis does not answer."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    def add(self, reason: str, message: object) -> None:
        """Puts a message aside.

        Args:
            reason: why nobody can use it.
            message: as it arrived; what is no JSON is kept as text.
        """
        letter = {"at": datetime.now(UTC).isoformat(), "reason": reason, "message": message}
        self._redis.call("LPUSH", DEAD_LETTERS, json.dumps(letter, default=repr))
        self._redis.call("LTRIM", DEAD_LETTERS, 0, KEPT_LETTERS - 1)

    def count(self) -> int:
        """How many there are."""
        return int(self._redis.call("LLEN", DEAD_LETTERS))

    def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """Members ``at``, ``reason``, ``message``; newest first."""
        return [json.loads(text) for text in self._redis.call("LRANGE", DEAD_LETTERS, 0, limit - 1)]
