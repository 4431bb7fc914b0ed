"""Switching an alias to a filled collection, so that no event is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from indexer.errors import PromotionImpossible, StoreLocked
from indexer.indexing.feed_version import written_at
from indexer.indexing.progress import Phase
from indexer.ledger.port import RunLedger
from indexer.ledger.reindexes import ReindexRecord, ReindexState
from indexer.reindex.catch_up import CatchUp, CaughtUp
from indexer.reindex.lease import ReindexLease
from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias, CollectionWriter, VectorStore

SWITCHED = frozenset({ReindexState.PROMOTING, ReindexState.PROMOTED, ReindexState.ROLLED_BACK})
"""States of a reindex that an alias was switched to."""

LOOKED_AT = 200
"""Records and runs, newest first."""

_LOCK_POLL_S = 0.1


class Promotion:
    """Promotes; whoever calls holds the ``reindexing_alone`` block.

    Args:
        store: of the collections.
        ledger: with the records.
        catch_up: brings in what events said meanwhile.
        tell: called as each phase begins.
    """

    def __init__(
        self, store: VectorStore, ledger: RunLedger, catch_up: CatchUp, tell: Callable[[Phase], None] = lambda _: None
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._catch_up = catch_up
        self._tell = tell
        self._failed: tuple[str, ...] = ()

    def save(self, record: ReindexRecord) -> ReindexRecord:
        """Records a reindex with the time of now."""
        record = replace(record, updated_at=datetime.now(UTC))
        self._ledger.save_reindex(record)
        return record

    def replayed(self, record: ReindexRecord, writer: CollectionWriter) -> ReindexRecord:
        """The record after events up to now were brought into a collection."""
        self._tell(Phase.CATCHING_UP)
        as_of = written_at(self._ledger.run(record.run_id).plan.feed_version) if record.run_id else None
        saved = record

        def note(done: CaughtUp) -> None:
            nonlocal saved
            saved = self.save(replace(saved, events_to=done.position))

        done = self._catch_up.replay(writer, record.events_to, as_of, note)
        self._failed += done.failed
        return saved

    @property
    def failed(self) -> Sequence[str]:
        """Products of events of which something could not be indexed."""
        return self._failed

    def is_switched(self, record: ReindexRecord) -> bool:
        """Whether the alias was switched to the target; numbers in names of collections only grow."""
        return record.state is ReindexState.PROMOTING and self._store.current(alias_of(record)) >= record.target

    def promote(self, record: ReindexRecord, space: EmbeddingSpace, lease: ReindexLease) -> ReindexRecord:
        """Makes the alias answer with a verified target; may be called again after a crash anywhere in it.

        Raises:
            VitrineError: a part failed.
        """
        alias = alias_of(record)
        if not self.is_switched(record):
            if record.state is ReindexState.VERIFIED:
                self._refuse_stale(record)
            if self._catch_up.position() > record.events_to:
                with closing(self._store.target(alias, space, collection=record.target, donor=record.donor)) as writer:
                    record = self.replayed(record, writer)
                    writer.publish()
            lease.check()
            self._tell(Phase.PROMOTING)
            record = self.save(replace(record, state=ReindexState.PROMOTING))
            self._store.promote(alias, record.target)
        if self._catch_up.position() > record.events_to:
            # what was applied to the old collection between the last look and the switch
            with closing(self._store.writer(alias, space)) as writer:
                record = self.replayed(record, writer)
                writer.publish()
        self._catch_up.settle(alias.name, CaughtUp(record.events_to, failed=self._failed))
        return self.save(replace(record, state=ReindexState.PROMOTED, reason=""))

    def _refuse_stale(self, record: ReindexRecord) -> None:
        """What an index run of another feed wrote behind the alias since the filling began may not be in the target."""
        filled = self._ledger.run(record.run_id)
        for run in self._ledger.runs(LOOKED_AT):
            plan = run.plan
            if plan.alias != record.alias or plan.target or run.updated_at <= filled.started_at:
                continue
            same = (plan.feed, plan.feed_version, plan.retry_of) == (filled.plan.feed, filled.plan.feed_version, "")
            if plan.feed and not same:
                raise PromotionImpossible(
                    f"The index run {run.run_id} wrote behind the alias after the filling of {record.target} began; "
                    "promotion could lose that.",
                    "Run the reindex again: it goes on in the same collection and takes up what changed.",
                )


@contextmanager
def reindexing_alone(
    store: VectorStore, ledger: RunLedger, catalog: str, *, wait_s: float = 0.0
) -> Iterator[ReindexLease]:
    """A block in which nobody else reindexes the catalog, nor writes where the store lets only one process write.

    Args:
        store, ledger: shared with whoever else might.
        catalog: the setting of that name.
        wait_s: how long to wait for another writer, which may only be applying events.

    Raises:
        StoreLocked: another process reindexes, or writes for longer.
    """
    with ExitStack() as stack:
        lease = stack.enter_context(ReindexLease(ledger, catalog))
        deadline_s = time.monotonic() + wait_s
        while True:
            try:
                stack.enter_context(store.exclusive())
                break
            except StoreLocked:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_LOCK_POLL_S)
        yield lease


def alias_of(record: ReindexRecord) -> Alias:
    """The alias that a reindex is for."""
    return alias_named(record.alias)


def alias_named(name: str) -> Alias:
    """The alias of a name as the store spells it."""
    catalog, _, space_id = name.rpartition("--")
    return Alias(catalog, space_id)


def space_of(store: VectorStore, collection: str) -> EmbeddingSpace:
    """The space of a collection's vectors.

    Raises:
        CollectionNotFound: there is none of that name.
    """
    with closing(store.collection_reader(collection)) as reader:
        return reader.status().space
