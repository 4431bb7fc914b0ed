"""What waits for whoever indexes: messages, requested runs, events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer import bootstrap
from indexer.errors import EmbedderError
from indexer.events.logs import EventLogs
from indexer.events.port import EventLog
from indexer.indexing.dispatcher import QueueStatus
from indexer.requests.port import WorkQueue
from indexer.settings import Settings


@dataclass(frozen=True, slots=True)
class EventBacklog:
    """Events that are not searchable yet, of all tenants.

    Attributes:
        behind: changes of states; a product that changed twice counts twice.
        oldest_age_s: since the oldest came, 0 if there is none.
    """

    behind: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits now; ``events`` is None while the model, whose space names the index, is not loaded."""

    queues: Sequence[QueueStatus]
    events: EventBacklog | None


class Backlog:
    """Opens log and queue when it is first asked, and again if they could not be; safe to call from several threads.

    Args:
        settings: effective ones.
        alias_name: of what is served; raises a VitrineError while nobody knows.
    """

    def __init__(self, settings: Settings, alias_name: Callable[[], str]) -> None:
        self.has_broker = settings.dispatcher != "inline"
        self._settings = settings
        self._alias_name = alias_name
        self._lock = threading.Lock()
        self._opened: tuple[EventLogs, WorkQueue] | None = None

    def read(self) -> Waiting:
        """What waits now; blocks.

        Raises:
            VitrineError: nobody can tell.
        """
        if not self.has_broker and not (self._settings.data_dir / "requests.sqlite3").exists():
            return Waiting((), None)  # nothing was ever asked for, and nobody follows
        with self._lock:
            if self._opened is None:
                logs = bootstrap.open_event_logs(self._settings)
                self._opened = logs, bootstrap.open_work_queue(self._settings)
            logs, work = self._opened
        return Waiting(work.waiting(), self._events(logs))

    def close(self) -> None:
        """Releases files and connections."""
        with self._lock:
            for part in self._opened or ():
                part.close()
            self._opened = None

    def _events(self, logs: EventLogs) -> EventBacklog | None:
        try:
            alias = self._alias_name()
        except EmbedderError:
            return None
        found = [_behind(logs.of(tenant), alias) for tenant in dict.fromkeys(("", *logs.tenants()))]
        return EventBacklog(sum(log.behind for log in found), max(log.oldest_age_s for log in found))


def _behind(log: EventLog, alias: str) -> EventBacklog:
    applied = log.applied(alias).sequence
    oldest = next(iter(log.since(applied, 1)), None)
    if oldest is None or oldest.appended_at is None:
        return EventBacklog(0, 0.0)
    age_s = (datetime.now(UTC) - oldest.appended_at).total_seconds()
    return EventBacklog(log.position() - applied, max(0.0, age_s))
