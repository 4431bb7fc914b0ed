"""Bringing a collection up to what events said since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from indexer.events.apply import EventApplier
from indexer.events.port import EventLog
from indexer.store.port import CollectionWriter

_PAGE = 256


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How far a collection is.

    Attributes:
        position: in the event log; states up to here are in the collection.
        products: whose states were applied.
        failed: of them, products of which something could not be indexed.
    """

    position: int
    products: int = 0
    failed: tuple[str, ...] = ()


class CatchUp(Protocol):
    """What changes products beside the feed."""

    def position(self) -> int:
        """Of the newest change."""
        ...

    def applied(self, alias: str) -> int:
        """Position up to which an alias answers with all changes."""
        ...

    def replay(
        self, writer: CollectionWriter, after: int, as_of: datetime | None, noted: Callable[[CaughtUp], None]
    ) -> CaughtUp:
        """Applies changes behind a position until none is left; some may have come since.

        Args:
            writer: of the collection.
            after: position up to which the collection is.
            as_of: when the feed that filled it was written; None if the changes hold in any case.
            noted: told how far it is, after each part.

        Raises:
            VitrineError: a part failed; all can be applied again.
        """
        ...

    def settle(self, alias: str, done: CaughtUp) -> None:
        """Records how far an alias is, and lets what failed be tried again by whoever applies the next changes."""
        ...


class EventCatchUp:
    """Over the event log; see ``CatchUp``.

    Args:
        log: of the events.
        applier: gives the one that applies them, which needs the model; asked for only if there are any.
    """

    def __init__(self, log: EventLog, applier: Callable[[], EventApplier]) -> None:
        self._log = log
        self._applier = applier

    def position(self) -> int:
        """See ``CatchUp``."""
        return self._log.position()

    def applied(self, alias: str) -> int:
        """See ``CatchUp``."""
        return self._log.applied(alias).sequence

    def replay(
        self, writer: CollectionWriter, after: int, as_of: datetime | None, noted: Callable[[CaughtUp], None]
    ) -> CaughtUp:
        """See ``CatchUp``."""
        done = CaughtUp(after)
        while states := self._log.since(done.position, _PAGE):
            last = states[-1].sequence
            report = self._applier().apply([state.product_id for state in states], last, writer, as_of=as_of)
            failed = dict.fromkeys(failure.product_id for failure in report.failures)
            done = replace(
                done, position=last, products=done.products + report.counts.products, failed=(*done.failed, *failed)
            )
            noted(done)
            if len(states) < _PAGE:
                break  # what came meanwhile is little, and there is another pass
        return done

    def settle(self, alias: str, done: CaughtUp) -> None:
        """See ``CatchUp``."""
        self._log.advance(alias, done.position)
        if done.failed:
            self._log.again(done.failed)
