"""Switching an alias back, so that no event is lost on either side and an interruption can be gone on with."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from indexer.errors import PromotionImpossible
from indexer.ledger.port import RunLedger
from indexer.ledger.reindexes import ReindexRecord, ReindexState
from indexer.reindex.catch_up import CatchUp
from indexer.reindex.lease import ReindexLease
from indexer.reindex.promotion import LOOKED_AT, SWITCHED, space_of
from indexer.store.port import Alias, VectorStore


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did.

    Attributes:
        alias: which one.
        collection: that it answers with now.
        instead_of: that it answered with before; the next rollback goes back to it.
        products: whose newer events were brought into it.
    """

    alias: str
    collection: str
    instead_of: str
    products: int


class Rollback:
    """Switches back; whoever calls holds the ``reindexing_alone`` block.

    What it is about to do is recorded before the switch, so that a second call after a crash finishes the first one
    instead of switching forward again.

    Args:
        store: of the collections.
        ledger: with the records.
        catch_up: brings in what events said meanwhile.
    """

    def __init__(self, store: VectorStore, ledger: RunLedger, catch_up: CatchUp) -> None:
        self._store = store
        self._ledger = ledger
        self._catch_up = catch_up

    def run(self, alias: Alias, lease: ReindexLease) -> RolledBack:
        """Makes an alias answer with its previous collection, and brings in what events said since that served.

        Raises:
            PromotionImpossible: there is no previous collection.
            VitrineError: a part failed; the same call goes on from there.
        """
        latest = next(
            (item for item in self._ledger.reindexes(LOOKED_AT) if item.alias == alias.name and item.state in SWITCHED),
            None,
        )
        current, previous = self._store.current(alias), self._store.previous(alias)
        interrupted = latest is not None and bool(latest.rollback_to)
        if latest is not None and interrupted and previous != latest.rollback_to:
            # the switch was done: what the alias answered with is the previous one, whatever events wrote since
            return self._finish(alias, latest, current, previous)
        if not previous:
            raise PromotionImpossible(
                f"The alias {alias.name} has no previous collection to roll back to.",
                "Serve the model that was used before, or index a feed.",
            )
        lease.check()
        if latest is not None:
            latest = self._save(self._begun(latest, alias, previous))
        self._store.promote(alias, previous)
        return self._finish(alias, latest, previous, current)

    def _begun(self, record: ReindexRecord, alias: Alias, collection: str) -> ReindexRecord:
        """The record with the intention, and with how far the collection is that now stops serving."""
        applied = self._catch_up.applied(alias.name)
        reason = f"A rollback to {collection} began; if it was interrupted, run it again."
        record = replace(record, rollback_to=collection, reason=reason)
        if record.state is ReindexState.ROLLED_BACK:
            return replace(record, events_from=max(record.events_from, applied))
        if record.state is ReindexState.PROMOTED:
            return replace(record, events_to=max(record.events_to, applied))
        return record  # a promotion that was interrupted after the switch: its own position is the truth

    def _finish(self, alias: Alias, record: ReindexRecord | None, collection: str, instead_of: str) -> RolledBack:
        products = 0
        if record is not None and record.state is ReindexState.ROLLED_BACK:
            products = self._bring_in(alias, record.events_to)
            self._save(replace(record, state=ReindexState.PROMOTED, rollback_to="", reason=""))
        elif record is not None:
            # embedded, events since the reindex began are only in its target; on a server those since the switch
            products = self._bring_in(alias, record.events_from)
            self._save(replace(record, state=ReindexState.ROLLED_BACK, rollback_to="", reason=""))
        return RolledBack(alias.name, collection, instead_of, products)

    def _bring_in(self, alias: Alias, after: int) -> int:
        if self._catch_up.position() <= after:
            return 0
        space = space_of(self._store, self._store.current(alias))
        with closing(self._store.writer(alias, space)) as writer:
            done = self._catch_up.replay(writer, after, None, lambda _: None)
            writer.publish()
        self._catch_up.settle(alias.name, done)
        return done.products

    def _save(self, record: ReindexRecord) -> ReindexRecord:
        record = replace(record, updated_at=datetime.now(UTC))
        self._ledger.save_reindex(record)
        return record
