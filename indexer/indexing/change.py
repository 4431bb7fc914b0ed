"""What a batch changes in the store, and what is reported of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from indexer.errors import VitrineError
from indexer.indexing.batch import ImageOutcome, IndexedBatch, ProductBatch
from indexer.ledger.port import BatchReport, Counts, Failure, Stage
from indexer.points import (
    ImageFacts,
    Point,
    PointPayload,
    StoredPoint,
    Vectors,
    payload_of,
    point_id,
    with_main,
    with_product_fields,
    with_tags_of,
)
from indexer.products import CatalogProduct, RowError
from indexer.store.port import BatchChange, PayloadUpdate

ROW_ERROR_CODE = "feed_row_invalid"
"""Failure code of a row that is no product; the other codes are those of ``indexer.errors``."""


@dataclass(frozen=True, slots=True)
class _ProductChange:
    points: tuple[Point, ...]
    payloads: tuple[PayloadUpdate, ...]
    deletions: tuple[UUID, ...]
    unchanged: int


_NOTHING = _ProductChange((), (), (), 0)


@dataclass(frozen=True, slots=True)
class AtHand:
    """What a batch's change is made from.

    Attributes:
        existing: the products' points as they are.
        vectors: new embeddings by content hash, float32 (D,).
        donated: the products' points in another collection of the same space, whose vectors may be copied.
    """

    existing: Mapping[str, tuple[StoredPoint, ...]]
    vectors: Mapping[str, Vectors]
    donated: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)


def change_of(
    batch: ProductBatch,
    outcomes: Sequence[Sequence[ImageOutcome]],
    at_hand: AtHand,
    *,
    defer: bool = False,
) -> IndexedBatch:
    """The change and the report of a batch.

    Args:
        batch: as read.
        outcomes: for each product, of each of its pictures.
        at_hand: points and vectors.
        defer: whether a product with a picture that could be had later is changed now, but reported then.
    """
    changed = [
        _Changed(product, row, _product_change(product, row, at_hand, batch.tenant))
        for product, row in zip(batch.products, outcomes, strict=True)
    ]
    change = BatchChange(
        points=tuple(point for item in changed for point in item.change.points),
        payloads=tuple(update for item in changed for update in item.change.payloads),
        deletions=tuple(point for item in changed for point in item.change.deletions),
    )
    settled = [item for item in changed if not (defer and item.may_do_better_later)]
    deferred = tuple(item.product for item in changed if defer and item.may_do_better_later)
    return IndexedBatch(change, _report(batch, settled, at_hand.vectors), deferred)


@dataclass(frozen=True, slots=True)
class _Changed:
    product: CatalogProduct
    outcomes: Sequence[ImageOutcome]
    change: _ProductChange

    @property
    def may_do_better_later(self) -> bool:
        return any(outcome.error is not None and outcome.error.retryable for outcome in self.outcomes)


def _report(batch: ProductBatch, settled: Sequence[_Changed], vectors: Mapping[str, Vectors]) -> BatchReport:
    failures = [_row_failure(error) for error in batch.row_errors]
    for item in settled:
        failures += [_image_failure(item.product, outcome) for outcome in item.outcomes if outcome.error is not None]
    flat = [outcome for item in settled for outcome in item.outcomes]
    # an error that goes with a product is about one picture of a row that is counted already
    products = {product.product_id for product in batch.products}
    bad_rows = [error for error in batch.row_errors if error.product_id not in products]
    counts = Counts(
        rows=len(settled) + len(bad_rows) + len(batch.deleted_ids),
        products=len(settled),
        images=len(flat),
        embedded=len({outcome.sha256 for outcome in flat if not outcome.is_known} & vectors.keys()),
        reused=sum(outcome.error is None and (outcome.is_known or outcome.is_shared) for outcome in flat),
        payload_updates=sum(len(item.change.payloads) for item in settled),
        unchanged=sum(item.change.unchanged for item in settled),
        removed=sum(len(item.change.deletions) for item in settled),
        failed=len(failures),
    )
    ids = [item.product.product_id for item in settled]
    ids += [error.product_id for error in batch.row_errors if error.product_id]
    return BatchReport(batch.number, counts, tuple(failures), (*ids, *batch.deleted_ids), batch.part)


def failed_report(batch: ProductBatch, error: VitrineError, stage: Stage) -> BatchReport:
    """The report of a batch of which nothing could be indexed.

    Args:
        batch: as read.
        error: that stands for each of its products on the failure list.
        stage: where it came up.
    """
    failures = [_row_failure(row) for row in batch.row_errors]
    failures += [Failure.of(product, error, stage) for product in batch.products]
    report = _report(batch, [_Changed(product, (), _NOTHING) for product in batch.products], {})
    counts = replace(
        report.counts, images=sum(len(product.image_refs) for product in batch.products), failed=len(failures)
    )
    return replace(report, counts=counts, failures=tuple(failures))


def _product_change(
    product: CatalogProduct, outcomes: Sequence[ImageOutcome], at_hand: AtHand, tenant: str
) -> _ProductChange:
    existing = at_hand.existing.get(product.product_id, ())
    there = {point.id: point for point in existing}
    donated = {point.id: point for point in at_hand.donated.get(product.product_id, ())}
    wanted: dict[UUID, PointPayload] = {}
    vectors: dict[UUID, Vectors] = {}
    failed_positions = {outcome.position for outcome in outcomes if outcome.error is not None}
    for outcome in outcomes:
        if outcome.error is not None:
            continue
        identity = point_id(product.product_id, outcome.sha256, tenant)
        if identity in wanted:
            continue  # the same picture twice in one product: the first position stands for both
        facts = ImageFacts(
            outcome.position, outcome.ref, outcome.root, outcome.sha256, *outcome.size_px, outcome.validator
        )
        given = donated.get(identity)
        known = there.get(identity) or given
        payload = payload_of(product, facts, tenant)
        wanted[identity] = payload if known is None else with_tags_of(known.payload, payload)
        if identity not in there:
            vectors[identity] = at_hand.vectors[outcome.sha256] if given is None else given.vector
    stale: list[UUID] = []
    for point in existing:
        if point.id in wanted:
            continue
        if point.payload.position in failed_positions:
            # its successor could not be had: better an old picture with today's price than none
            wanted[point.id] = with_product_fields(point.payload, product)
        else:
            stale.append(point.id)
    for given in donated.values():
        if given.payload.position in failed_positions and given.id not in wanted and given.id not in there:
            wanted[given.id] = with_product_fields(given.payload, product)
            vectors[given.id] = given.vector
    wanted = with_main(wanted)
    points = tuple(Point(identity, vector, wanted[identity]) for identity, vector in vectors.items())
    payloads = payload_updates(existing, wanted)
    return _ProductChange(points, payloads, tuple(stale), len(wanted) - len(points) - len(payloads))


def payload_updates(existing: Sequence[StoredPoint], wanted: Mapping[UUID, PointPayload]) -> tuple[PayloadUpdate, ...]:
    """What is to be written so that points of a product have the payloads wanted.

    Args:
        existing: as they are; those of which nothing is wanted are left alone.
        wanted: as they are to be, by id.
    """
    changed = [point for point in existing if wanted.get(point.id, point.payload) != point.payload]
    return tuple(
        PayloadUpdate(point.id, wanted[point.id], wanted[point.id].changed_fields(point.payload)) for point in changed
    )


def _image_failure(product: CatalogProduct, outcome: ImageOutcome) -> Failure:
    error = outcome.error
    assert error is not None  # noqa: S101 - the caller asks only for failed ones
    return Failure.of(product, error, outcome.stage, outcome.position, outcome.ref)


def _row_failure(error: RowError) -> Failure:
    return Failure(
        product_id=error.product_id,
        position=None,
        image_ref="",
        stage=Stage.READ,
        code=ROW_ERROR_CODE,
        reason=error.reason,
        retryable=False,
        line=error.line,
    )
