"""From rows to batches: the same rows always give the same batches, so a run can be resumed by their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from indexer.catalog import Feed
from indexer.errors import FeedError
from indexer.indexing.batch import ProductBatch
from indexer.indexing.dispatcher import PlannedBatch
from indexer.products import CatalogProduct, RowError


def feed_batches(
    feed: Feed, size: int, limit: int, broken_off: Callable[[FeedError], None], as_of: datetime | None = None
) -> Iterator[PlannedBatch]:
    """Batches of a feed, each with the share of the feed that is read behind it.

    Readers read ahead, and a small feed is in their buffers before its first row comes out of them. So a batch is held
    back until it is known whether another one follows: then it is not the whole feed.

    Args:
        feed: opened.
        size: most products, and about as many pictures, in a batch.
        limit: most products to read, 0 for all.
        broken_off: called with what ended the feed early; what was read before it is a batch all the same.
        as_of: when the feed was written.

    Raises:
        FeedError: not one product could be read.
    """
    rows = _readable_rows(feed, limit, broken_off)
    folder = str(feed.folder.resolve())
    held: PlannedBatch | None = None
    for number, (products, errors) in enumerate(_grouped(rows, size)):
        progress = feed.progress()
        share = progress.bytes_read / progress.bytes_total if progress.bytes_total else 1.0
        if limit:
            share = max(share, min(1.0, (number + 1) * size / limit))
        if held is not None:
            yield replace(held, fraction=min(held.fraction, number / (number + 1)))
        held = PlannedBatch(ProductBatch(number, products, errors, folder, as_of=as_of), share)
    if held is not None:
        yield held


def counted_batches(
    products: Sequence[CatalogProduct], size: int, folder: Path, as_of: datetime | None = None
) -> Iterator[PlannedBatch]:
    """Batches of products that are all at hand.

    Args:
        products: at least one.
        size: most products, and about as many pictures, in a batch.
        folder: that paths of their pictures are relative to.
        as_of: version of products without an ``updated_at``.
    """
    read = 0
    for number, (group, errors) in enumerate(_grouped(products, size)):
        read += len(group)
        yield PlannedBatch(ProductBatch(number, group, errors, str(folder), as_of=as_of), read / len(products))


def _readable_rows(
    feed: Feed, limit: int, broken_off: Callable[[FeedError], None]
) -> Iterator[CatalogProduct | RowError]:
    products = 0
    try:
        for row in feed:
            products += isinstance(row, CatalogProduct)
            yield row
            if limit and products >= limit:
                return
    except FeedError as error:
        if products == 0:
            raise
        broken_off(error)


_Group = tuple[tuple[CatalogProduct, ...], tuple[RowError, ...]]


def _grouped(rows: Iterable[CatalogProduct | RowError], size: int) -> Iterator[_Group]:
    """Rows in groups of at most ``size`` products and about as many pictures; bad rows stay with their neighbours."""
    products: list[CatalogProduct] = []
    errors: list[RowError] = []
    images = 0
    for row in rows:
        if isinstance(row, RowError):
            errors.append(row)
        else:
            products.append(row)
            images += len(row.image_refs)
        if len(products) >= size or images >= size or len(errors) >= size * 4:
            yield tuple(products), tuple(errors)
            products, errors, images = [], [], 0
    if products or errors:
        yield tuple(products), tuple(errors)
