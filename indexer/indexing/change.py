"""What a batch changes in the store, and what is reported of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from indexer.indexing.batch import ImageOutcome, IndexedBatch, ProductBatch
from indexer.ledger.port import BatchReport, Counts, Failure, Stage
from indexer.points import ImageFacts, Point, StoredPoint, Vectors, payload_of, point_id, with_product_fields
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


def change_of(
    batch: ProductBatch,
    outcomes: Sequence[Sequence[ImageOutcome]],
    existing: Mapping[str, tuple[StoredPoint, ...]],
    vectors: Mapping[str, Vectors],
) -> IndexedBatch:
    """The change and the report of a batch.

    Args:
        batch: as read.
        outcomes: for each product, of each of its pictures.
        existing: the products' points as they are.
        vectors: new embeddings by content hash, float32 (D,).
    """
    changes = [
        _product_change(product, row, existing.get(product.product_id, ()), vectors)
        for product, row in zip(batch.products, outcomes, strict=True)
    ]
    failures = [_row_failure(error) for error in batch.row_errors]
    for product, row in zip(batch.products, outcomes, strict=True):
        failures += [_image_failure(product, outcome) for outcome in row if outcome.error is not None]
    change = BatchChange(
        points=tuple(point for item in changes for point in item.points),
        payloads=tuple(update for item in changes for update in item.payloads),
        deletions=tuple(point for item in changes for point in item.deletions),
    )
    flat = [outcome for row in outcomes for outcome in row]
    ids = [product.product_id for product in batch.products]
    # an error that goes with a product is about one picture of a row that is counted already
    bad_rows = [error for error in batch.row_errors if error.product_id not in set(ids)]
    counts = Counts(
        rows=len(batch.products) + len(bad_rows) + len(batch.deleted_ids),
        products=len(batch.products),
        images=len(flat),
        embedded=len(vectors),
        reused=sum(outcome.error is None and (outcome.is_known or outcome.is_shared) for outcome in flat),
        payload_updates=len(change.payloads),
        unchanged=sum(item.unchanged for item in changes),
        removed=len(change.deletions),
        failed=len(failures),
    )
    ids += [error.product_id for error in batch.row_errors if error.product_id]
    ids += batch.deleted_ids
    return IndexedBatch(change, BatchReport(batch.number, counts, tuple(failures), tuple(ids), batch.part))


def _product_change(
    product: CatalogProduct,
    outcomes: Sequence[ImageOutcome],
    existing: Sequence[StoredPoint],
    vectors: Mapping[str, Vectors],
) -> _ProductChange:
    there = {point.id: point for point in existing}
    points: dict[UUID, Point] = {}
    payloads: dict[UUID, PayloadUpdate] = {}
    settled: set[UUID] = set()
    failed_positions = {outcome.position for outcome in outcomes if outcome.error is not None}
    for outcome in outcomes:
        if outcome.error is not None:
            continue
        identity = point_id(product.product_id, outcome.sha256)
        if identity in settled:
            continue  # the same picture twice in one product: the first position stands for both
        settled.add(identity)
        facts = ImageFacts(outcome.position, outcome.ref, outcome.root, outcome.sha256, *outcome.size_px)
        payload = payload_of(product, facts)
        if identity not in there:
            points[identity] = Point(identity, vectors[outcome.sha256], payload)
        elif there[identity].payload != payload:
            payloads[identity] = PayloadUpdate(identity, payload)
    stale: list[UUID] = []
    for point in existing:
        if point.id in settled:
            continue
        if point.payload.position in failed_positions:
            # its successor could not be had: better an old picture with today's price than none
            kept = with_product_fields(point.payload, product)
            settled.add(point.id)
            if kept != point.payload:
                payloads[point.id] = PayloadUpdate(point.id, kept)
        else:
            stale.append(point.id)
    unchanged = len(settled) - len(points) - len(payloads)
    return _ProductChange(tuple(points.values()), tuple(payloads.values()), tuple(stale), unchanged)


def _image_failure(product: CatalogProduct, outcome: ImageOutcome) -> Failure:
    error = outcome.error
    assert error is not None  # noqa: S101 - the caller asks only for failed ones
    return Failure(
        product_id=product.product_id,
        position=outcome.position,
        image_ref=outcome.ref,
        stage=outcome.stage,
        code=error.code,
        reason=str(error),
        retryable=error.retryable,
        line=product.line,
        product=product,
    )


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
