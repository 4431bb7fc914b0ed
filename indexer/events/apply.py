"""From the states of products to the store: what changed, and no more than that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from indexer.embedding.port import PROBE_TEXT, Embedder
from indexer.errors import ModelFailed, WorkerLost
from indexer.events.in_hand import InHand
from indexer.events.merge import Deleted, Patched, Replaced, resolve
from indexer.events.port import EventLog, ProductState
from indexer.indexing.batch import ProductBatch
from indexer.indexing.change import payload_updates
from indexer.indexing.pipeline import IndexPipeline
from indexer.ledger.port import BatchReport, Counts, Failure, RunPlan, Stage
from indexer.points import PointPayload, StoredPoint, version_text, with_main, with_product_fields
from indexer.store.port import Alias, BatchChange, CollectionWriter, PayloadUpdate
from indexer.telemetry.counting import index_stage

_MAX_ROUNDS = 8
"""A product that changes more often than this while it is applied waits for the next call, which will find it."""


def events_plan(alias: Alias, day: datetime, tenant: str = "") -> RunPlan:
    """The run under which the events of a day (in UTC) are on record."""
    version = day.astimezone(UTC).date().isoformat()
    return RunPlan(alias=f"{alias.name}/events", feed="", feed_version=version, batch_products=1, tenant=tenant)


class EventApplier:
    """Brings products in a collection to the state that the event log has of them.

    An upsert goes the way of a feed's batch: pictures are fetched and compared, and only new ones embedded. Changed
    fields are written as payloads alone. After writing the log is asked again, and what changed meanwhile is applied
    again: so several appliers, in whatever order they write, leave the newest state behind.

    Args:
        log: of the states.
        pipeline: for whole products.
        embedder: the pipeline's; asked whether it still works if it failed on a product.
        batch_products: most products embedded at once.
        in_hand: where what is being indexed is noted, so that a product that kills the process is found out.
    """

    def __init__(
        self,
        log: EventLog,
        pipeline: IndexPipeline,
        embedder: Embedder,
        *,
        batch_products: int = 64,
        in_hand: InHand | None = None,
    ) -> None:
        self._log = log
        self._pipeline = pipeline
        self._embedder = embedder
        self._batch_products = batch_products
        self._in_hand = in_hand

    def apply(
        self, product_ids: Sequence[str], number: int, writer: CollectionWriter, *, as_of: datetime | None = None
    ) -> BatchReport:
        """Applies the states of products; those that no event named are passed over.

        Args:
            product_ids: at most a few hundred.
            number: of the report.
            writer: of the collection.
            as_of: for a collection that was just filled from a feed: when that was written. It is the version of what
                the feed says without a version, and of what it does not name; None: there the events hold in any case.

        Returns:
            ``rows`` counts states, ``products`` those of them that are, or were, in the collection.

        Raises:
            EventsUnavailable, StoreError, ModelFailed: some may be applied; all can be applied again.
        """
        tally = _Tally()
        left = list(dict.fromkeys(product_ids))
        applied: dict[str, int] = {}
        for _ in range(_MAX_ROUNDS):
            states = self._log.latest(left)
            self._apply_once(states, writer, as_of, tally)
            applied |= {product_id: state.sequence for product_id, state in states.items()}
            now = self._log.latest(left)
            left = [product_id for product_id, state in now.items() if state.sequence != applied.get(product_id)]
            if not left:
                break
        failures = tuple(item for group in tally.failures.values() for item in group)
        counts = tally.counts + Counts(rows=len(applied), products=len(tally.products), failed=len(failures))
        return BatchReport(number, counts, failures, tuple(applied), embedded_with=tally.embedded_with)

    def _apply_once(
        self, states: Mapping[str, ProductState], writer: CollectionWriter, as_of: datetime | None, tally: _Tally
    ) -> None:
        existing = writer.product_points(list(states))
        whole: list[Replaced] = []
        payloads: list[PayloadUpdate] = []
        deleted: list[str] = []
        for product_id, state in states.items():
            points = existing.get(product_id, ())
            outcome = resolve(state, _version_of(points) or as_of)
            tally.failures.pop(product_id, None)
            if points or isinstance(outcome, Replaced):
                tally.products.add(product_id)
            match outcome:
                case Deleted() if points:
                    deleted.append(product_id)
                    tally.counts += Counts(removed=len(points))
                case Deleted():
                    pass
                case Replaced() if not _has_all_pictures(points, outcome):
                    whole.append(outcome)
                case Replaced() | Patched():
                    changed = _payload_updates(points, outcome)
                    payloads += changed
                    tally.counts += Counts(payload_updates=len(changed), unchanged=len(points) - len(changed))
        for group in self._groups(whole, states, tally):
            keys = [_key(states[item.product.product_id]) for item in group]
            with self._in_hand.holding(keys) if self._in_hand is not None else nullcontext():
                self._index(group, writer, tally)
        with index_stage("write"):
            writer.write(BatchChange(payloads=tuple(payloads)))
            writer.delete_products(deleted)

    def _groups(
        self, whole: Sequence[Replaced], states: Mapping[str, ProductState], tally: _Tally
    ) -> Iterator[Sequence[Replaced]]:
        """Products in batches; those with which a process died one by one, and not again if they are the cause."""
        together: list[Replaced] = []
        for item in whole:
            key = _key(states[item.product.product_id])
            if self._in_hand is None or not self._in_hand.is_suspect(key):
                together.append(item)
            elif self._in_hand.is_poison(key):
                lost = WorkerLost("The indexer process died each time with this product in hand, so it is left out.")
                tally.failures[item.product.product_id] = [Failure.of(item.product, lost, Stage.DECODE)]
            else:
                yield [item]
        for start in range(0, len(together), self._batch_products):
            yield together[start : start + self._batch_products]

    def _index(self, whole: Sequence[Replaced], writer: CollectionWriter, tally: _Tally) -> None:
        roots = {item.product.product_id: item.image_root for item in whole}
        batch = ProductBatch(0, tuple(item.product for item in whole), (), "", image_roots=roots)
        try:
            report = self._pipeline.index_batch(batch, writer).report
        except ModelFailed as error:
            # one picture that breaks the model must not stop the events behind it; a broken model must
            self._embedder.embed_texts([PROBE_TEXT])
            if len(whole) == 1:
                tally.failures[whole[0].product.product_id] = [Failure.of(whole[0].product, error, Stage.EMBED)]
                return
            for item in whole:
                self._index([item], writer, tally)
            return
        tally.counts += replace(report.counts, rows=0, products=0, failed=0)
        tally.embedded_with = tally.embedded_with or report.embedded_with
        for failure in report.failures:
            tally.failures.setdefault(failure.product_id, []).append(failure)


@dataclass(slots=True)
class _Tally:
    """What was done so far; a product that is applied again takes its earlier failures back."""

    counts: Counts = field(default_factory=Counts)
    products: set[str] = field(default_factory=set)
    failures: dict[str, list[Failure]] = field(default_factory=dict)
    embedded_with: str = ""


def _version_of(points: Sequence[StoredPoint]) -> datetime | None:
    """The oldest of them: where a write broke off in between, events are applied rather than passed over."""
    texts = {point.payload.updated_at for point in points}
    return min(datetime.fromisoformat(text) for text in texts) if texts and "" not in texts else None


def _has_all_pictures(points: Sequence[StoredPoint], wanted: Replaced) -> bool:
    """Whether the points are those of this very version, so that no picture needs to be looked at."""
    product = wanted.product
    version = version_text(product.updated_at) if product.updated_at else ""
    there = {(point.payload.position, point.payload.image_ref, point.payload.image_root) for point in points}
    named = {(position, ref, wanted.image_root) for position, ref in enumerate(product.image_refs)}
    return there == named and all(point.payload.updated_at == version for point in points)


def _payload_updates(points: Sequence[StoredPoint], outcome: Replaced | Patched) -> tuple[PayloadUpdate, ...]:
    return payload_updates(points, with_main({point.id: _changed(point.payload, outcome) for point in points}))


def _changed(payload: PointPayload, outcome: Replaced | Patched) -> PointPayload:
    if isinstance(outcome, Replaced):
        return with_product_fields(payload, outcome.product)
    values = dict(outcome.fields)
    if "category" in values:
        values["category"] = tuple(values["category"])
    return replace(payload, **values)


def _key(state: ProductState) -> str:
    """Of what is applied; another state of the product is another thing, and above suspicion."""
    return f"{state.sequence} {state.product_id}"
