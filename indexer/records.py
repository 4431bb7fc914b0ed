"""Where runs, events, requests and rates are on record: opened as the settings say; a part of the bootstrap."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from indexer.errors import ConfigurationError
from indexer.events.logs import EventLogs, SqliteEventLogs
from indexer.events.port import EventLog
from indexer.ledger.port import RunLedger
from indexer.ledger.sqlite import SqliteLedger
from indexer.rate_limits.fallback import FallbackBuckets
from indexer.rate_limits.memory import MemoryBuckets
from indexer.rate_limits.port import TokenBuckets
from indexer.requests.port import WorkQueue
from indexer.requests.sqlite import SqliteWorkQueue
from indexer.settings import Settings


def open_ledger(settings: Settings) -> RunLedger:
    """The run ledger.

    Raises:
        ConfigurationError: its part is not installed, or its address is not set.
        LedgerUnavailable: it cannot be opened.
    """
    if settings.ledger == "sqlite":
        return SqliteLedger(settings.data_dir / "ledger.sqlite3")
    ledger: RunLedger = installed("vitrine.ledgers", settings.ledger)(settings)
    return ledger


def open_event_log(settings: Settings, tenant: str = "") -> EventLog:
    """What events said of single products, of a tenant or of none; kept where the ledger is.

    Raises:
        ConfigurationError: its part is not installed, or its address is not set.
        EventsUnavailable: it cannot be opened.
    """
    return open_event_logs(settings).of(tenant)


def open_event_logs(settings: Settings) -> EventLogs:
    """The same of every tenant.

    Raises:
        ConfigurationError: its part is not installed, or its address is not set.
        EventsUnavailable: it cannot be opened.
    """
    if settings.ledger == "sqlite":
        return SqliteEventLogs(settings.data_dir)
    logs: EventLogs = installed("vitrine.event_logs", settings.ledger)(settings)
    return logs


def open_work_queue(settings: Settings) -> WorkQueue:
    """How the search API hands work to whoever indexes.

    Raises:
        ConfigurationError: its part is not installed, or its address is not set.
        EventsUnavailable: it cannot be opened.
    """
    if settings.dispatcher == "inline":
        return open_embedded_work_queue(settings)
    queue: WorkQueue = installed("vitrine.work_queues", settings.dispatcher)(settings)
    return queue


def open_embedded_work_queue(settings: Settings) -> SqliteWorkQueue:
    """The queue that the indexer process beside the API takes from.

    Raises:
        EventsUnavailable: it cannot be opened.
    """
    return SqliteWorkQueue(settings.data_dir / "requests.sqlite3")


def open_token_buckets(settings: Settings) -> TokenBuckets:
    """Where rates are counted: in Redis where there is one, by this process while it is away.

    Raises:
        ConfigurationError: its part is not installed, or its address is none.
    """
    if not settings.redis_url.get_secret_value():
        return MemoryBuckets()
    return FallbackBuckets(installed("vitrine.token_buckets", "redis")(settings), MemoryBuckets())


def installed(group: str, name: str) -> Any:
    """A part of another package, which this one must not import: it is found by its entry point.

    Raises:
        ConfigurationError: no installed package offers it.
    """
    for entry_point in entry_points(group=group, name=name):
        return entry_point.load()
    raise ConfigurationError(
        f"No installed package offers {name} ({group}).", "Install this program again: pip install --editable ."
    )
