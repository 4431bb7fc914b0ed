"""How many connections there may be, of one address and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from indexer.errors import Overloaded, TooManyAtOnce, VitrineError
from indexer.settings import Settings
from indexer.telemetry import metrics

MAX_TURNED_AWAY = 64
"""Connections for which there is no place, and that are told so; beyond these they are just cut."""


@dataclass(slots=True)
class ConnectionLimits:
    """What connections of one server share.

    Attributes:
        most: connections open at once.
        most_of_address: the same of one address that is no trusted proxy.
        head_max_bytes: of a request line and its headers.
        head_timeout_s: for these.
        proxies: addresses and networks that are trusted.
        by_address: open connections.
        open: all of them.
        turned_away: connections that are none of these, and only see why.
    """

    most: int
    most_of_address: int
    head_max_bytes: int
    head_timeout_s: float
    proxies: Sequence[str] = ()
    by_address: Counter[str] = field(default_factory=Counter)
    open: int = 0
    turned_away: int = 0

    def admit(self, client: str) -> VitrineError | None:
        """Counts a connection, or says why there is no place for it.

        Args:
            client: who it is of; empty: a trusted proxy, which has as many as there are.
        """
        if client and self.by_address[client] >= self.most_of_address:
            metrics.limited("address_connections")
            reason = f"This address has {self.most_of_address} connections open, the most that it may have."
            return TooManyAtOnce(reason, "Use them again, or close some.")
        if self.open >= self.most:
            metrics.limited("connections")
            return Overloaded("As many connections as this server takes are open.")
        self.open += 1
        self.by_address[client] += 1
        return None

    def leave(self, client: str) -> None:
        """A connection that was admitted is closed."""
        self.open -= 1
        self.by_address[client] -= 1
        if not self.by_address[client]:
            del self.by_address[client]

    @staticmethod
    def of(settings: Settings) -> ConnectionLimits:
        """From the settings."""
        return ConnectionLimits(
            settings.connections,
            settings.address_connections,
            settings.head_max_bytes,
            settings.head_timeout_s,
            settings.trusted_proxies,
        )
