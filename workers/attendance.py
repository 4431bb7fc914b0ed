"""Which workers are there, and what is waiting for them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from indexer.indexing.dispatcher import QueueStatus
from workers.dead_letters import DeadLetters
from workers.messages import WorkerCard
from workers.names import DEAD_LETTERS, EVENTS_QUEUE, QUEUES, WORKERS, events_queue, index_queue
from workers.redis_connection import RedisConnection
from workers.sender import SENT_AT, waited_s


class Attendance:
    """Cards of live workers; every method raises ``LedgerUnavailable`` if Redis does not answer.

    Args:
        connection: to Redis.
        lease_s: after which a worker counts as gone if it does not sign again.
    """

    def __init__(self, connection: RedisConnection, *, lease_s: float) -> None:
        self._redis = connection
        self._lease_ms = max(1, round(lease_s * 1000))

    def sign(self, card: WorkerCard) -> None:
        """Says that a worker is there."""
        self._redis.call("SET", _key(card.worker_id), card.model_dump_json(), "PX", self._lease_ms)
        self._redis.call("SADD", WORKERS, card.worker_id)

    def leave(self, card: WorkerCard) -> None:
        """Says that a worker is gone."""
        self._redis.call("DEL", _key(card.worker_id))
        self._redis.call("SREM", WORKERS, card.worker_id)

    def present(self) -> list[WorkerCard]:
        """Cards of the workers that are there, by id."""
        cards = self._cards()
        gone = [worker_id for worker_id, card in cards.items() if card is None]
        if gone:
            self._redis.call("SREM", WORKERS, *gone)
        return [card for card in cards.values() if card is not None]

    def seen(self) -> list[WorkerCard]:
        """The same for who only looks: those that are gone stay on the list."""
        return [card for card in self._cards().values() if card is not None]

    def waiting(self) -> list[QueueStatus]:
        """Queues with messages, by name, whoever takes from them; changes nothing."""
        workers = _taking(self.seen())
        cursor, names = 0, set()
        while True:
            cursor, found = self._redis.call("SCAN", cursor, "MATCH", f"{QUEUES}*", "COUNT", 1000, "TYPE", "list")
            names.update(found)
            if not cursor:
                break
        return [QueueStatus(name, self.depth(name), self._oldest_age_s(name), workers[name]) for name in sorted(names)]

    def depth(self, queue: str) -> int:
        """Messages that wait in a queue."""
        return int(self._redis.call("LLEN", queue))

    def queues(self, spaces: Sequence[str] = ()) -> list[QueueStatus]:
        """Queues that have workers or messages, by name.

        Args:
            spaces: whose queues are looked at, besides those of the workers that are there.
        """
        cards = self.present()
        workers = _taking(cards)
        names = sorted({*workers, *map(index_queue, spaces), *map(events_queue, spaces)})
        found = [QueueStatus(name, self.depth(name), self._oldest_age_s(name), workers[name]) for name in names]
        letters = DeadLetters(self._redis).count()
        if letters:
            found.append(QueueStatus(DEAD_LETTERS, letters, 0.0, 0, has_workers=False))
        return [status for status in found if status.depth or status.workers]

    def _cards(self) -> dict[str, WorkerCard | None]:
        ids = sorted(self._redis.call("SMEMBERS", WORKERS))
        cards = self._redis.call("MGET", *map(_key, ids)) if ids else []
        return {
            worker_id: None if card is None else WorkerCard.model_validate_json(card)
            for worker_id, card in zip(ids, cards, strict=True)
        }

    def _oldest_age_s(self, queue: str) -> float:
        oldest = self._redis.call("LINDEX", queue, -1)  # messages are pushed left and taken right
        if oldest is None:
            return 0.0
        return waited_s(json.loads(oldest).get("headers", {}).get(SENT_AT))


def _taking(cards: Sequence[WorkerCard]) -> Counter[str]:
    """How many workers take from each queue."""
    workers = Counter(index_queue(card.embedding_space().space_id) for card in cards)
    workers.update(events_queue(card.embedding_space().space_id) for card in cards)
    workers[EVENTS_QUEUE] = len(cards)
    return workers


def _key(worker_id: str) -> str:
    return f"vitrine:worker:{worker_id}"
