"""An event log for each tenant: the same product id of two tenants is two products, with an order of their own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from indexer.events.port import EventLog
from indexer.events.sqlite import SqliteEventLog
from indexer.tenants import is_tenant

_FOLDER = "tenants"
_FILE = "events.sqlite3"


class EventLogs(Protocol):
    """The logs of all tenants; safe to use from several threads and processes."""

    def of(self, tenant: str) -> EventLog:
        """The log of a tenant, or of none; opened when it is first asked for, and closed with the others.

        Raises:
            EventsUnavailable: it cannot be opened.
        """
        ...

    def tenants(self) -> Sequence[str]:
        """Those that have a log, by name.

        Raises:
            EventsUnavailable: that cannot be read.
        """
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


class SqliteEventLogs:
    """See ``EventLogs``; each in a file of its own.

    Args:
        data_dir: the setting of that name.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._opening = threading.Lock()
        self._open: dict[str, SqliteEventLog] = {}

    def of(self, tenant: str) -> EventLog:
        """See ``EventLogs``."""
        with self._opening:
            if tenant not in self._open:
                folder = self._data_dir / _FOLDER / tenant if tenant else self._data_dir
                self._open[tenant] = SqliteEventLog(folder / _FILE)
            return self._open[tenant]

    def tenants(self) -> Sequence[str]:
        """See ``EventLogs``."""
        files = (self._data_dir / _FOLDER).glob(f"*/{_FILE}")
        return sorted(name for name in (file.parent.name for file in files) if is_tenant(name))

    def close(self) -> None:
        """See ``EventLogs``."""
        for log in self._open.values():
            log.close()
