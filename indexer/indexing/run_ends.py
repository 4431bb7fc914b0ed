"""How a run begins and ends, whoever carries out its batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from indexer.errors import StoreLocked
from indexer.events.overlay import EventOverlay
from indexer.indexing.change import payload_updates
from indexer.indexing.feed_version import written_at
from indexer.indexing.progress import Phase
from indexer.ledger.port import RunBegin, RunLedger, RunPlan, RunRecord, RunState
from indexer.points import with_main
from indexer.reindex.lease import refuse_beside_reindex
from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias, BatchChange, CollectionWriter, VectorStore
from indexer.store.tenant_store import of_tenant
from indexer.telemetry.counting import index_stage

_log = logging.getLogger(__name__)
_CHUNK_PRODUCTS = 1000
_WRITER_POLL_S = 0.02


def open_run_writer(
    plan: RunPlan, store: VectorStore, ledger: RunLedger, alias: Alias, space: EmbeddingSpace, wait_s: float = 0.0
) -> CollectionWriter:
    """A writer for a run that is about to begin or to be resumed, of its tenant's products alone.

    Where a store lets one writer in, its lock comes before the ledger: a second run must not touch the ledger of the
    one that holds it.

    Args:
        plan: of the run.
        store: to write to.
        ledger: with the runs so far.
        alias: to write behind.
        space: of the vectors.
        wait_s: how long to wait for another writer; one that applies events is soon done.

    Raises:
        StoreLocked: another run is writing.
    """
    store = of_tenant(store, plan.tenant)
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            return _try_writer(plan, store, ledger, alias, space)
        except StoreLocked:
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(_WRITER_POLL_S)


def _try_writer(
    plan: RunPlan, store: VectorStore, ledger: RunLedger, alias: Alias, space: EmbeddingSpace
) -> CollectionWriter:
    if plan.target:
        return store.target(alias, space, collection=plan.target, donor=plan.donor)
    refuse_beside_reindex(ledger, alias.catalog)
    latest = ledger.runs(tenant=plan.tenant)
    resumable = next((run for run in latest if run.plan == plan and run.state is RunState.RUNNING), None)
    return store.writer(alias, space, resume_of=resumable.collection if resumable else "")


def begin_run(plan: RunPlan, ledger: RunLedger, writer: CollectionWriter) -> RunBegin:
    """Records the run, or finds the one that an equal plan began; forgets batches whose points are gone."""
    begun = ledger.begin(plan)
    if begun.finished_batches and not writer.continues:
        _log.warning("what run %s had written is gone; it begins anew", begun.record.run_id)
        ledger.restart(begun.record.run_id)
        return RunBegin(ledger.run(begun.record.run_id))
    return begun


def end_run(
    run_id: str,
    ledger: RunLedger,
    writer: CollectionWriter,
    reason: str,
    tell: Callable[[Phase], None],
    events: EventOverlay | None = None,
) -> RunRecord:
    """Removes what left the feed, if the plan says so, publishes, and ends the run on record.

    Args:
        run_id: of a run whose batches are all done.
        reason: why the run failed all the same, else empty; then nothing is removed.
        tell: called as each phase begins.
        events: products that they know newer than the feed are not removed.
    """
    record = ledger.run(run_id)
    removed = 0
    if record.plan.full and not reason:
        if record.counts.products == 0:
            reason = "The feed names no product that can be indexed, so nothing was removed. Check the feed."
        else:
            tell(Phase.REMOVING)
            removed = _remove_what_left(record, ledger, writer, events)
    tell(Phase.PUBLISHING)
    bring_up_to_date(writer)
    with index_stage("publish"):
        writer.publish()
    return ledger.finish(run_id, RunState.FAILED if reason else RunState.FINISHED, removed=removed, reason=reason)


def bring_up_to_date(writer: CollectionWriter) -> None:
    """Gives points that an earlier version wrote, and that no batch came by, the fields that they lack."""
    for part in _chunks(dict.fromkeys(writer.outdated_product_ids()), _CHUNK_PRODUCTS):
        groups = writer.product_points(part).values()
        updates = [
            update
            for points in groups
            for update in payload_updates(points, with_main({point.id: point.payload for point in points}))
        ]
        writer.write(BatchChange(payloads=tuple(updates)))


def _remove_what_left(
    record: RunRecord, ledger: RunLedger, writer: CollectionWriter, events: EventOverlay | None
) -> int:
    as_of = written_at(record.plan.feed_version)
    gone: dict[str, int] = {}
    for chunk in _chunks(writer.product_ids(), _CHUNK_PRODUCTS):
        ids = list(dict.fromkeys(chunk))
        named = ledger.seen(record.run_id, ids)
        if events is not None and len(named) < len(ids):
            named |= events.kept([product_id for product_id in ids if product_id not in named], as_of)
        for product_id in chunk:
            if product_id not in named:
                gone[product_id] = gone.get(product_id, 0) + 1
    for part in _chunks(iter(gone), _CHUNK_PRODUCTS):
        writer.delete_products(part)
    return sum(gone.values())


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
