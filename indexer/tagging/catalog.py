"""Tagging a whole catalog from its stored vectors: nothing is fetched, decoded or embedded again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from indexer.embedding.port import Embedder
from indexer.points import PointPayload, StoredPoint
from indexer.store.port import Alias, BatchChange, CollectionReader, PayloadUpdate, VectorStore
from indexer.store.queries import OrderedAfter, OrderedQuery
from indexer.tagging.tagger import Tagger, Tags

_PAGE = 256


@dataclass(slots=True)
class TagCounts:
    """What a pass over the catalog came to.

    Attributes:
        products, pictures: looked at.
        changed: pictures whose tags are new or others than before.
        values: products by attribute and value, told from the main picture.
        probabilities: sum over these products, by attribute.
        known: tagged products by attribute of which the feed itself says one of the taxonomy's values: in the attribute
            of that name, or for ``category`` at any level of it.
        agreeing: of these, those that the feed says the same of.
    """

    products: int = 0
    pictures: int = 0
    changed: int = 0
    values: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    probabilities: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    known: Counter[str] = field(default_factory=Counter)
    agreeing: Counter[str] = field(default_factory=Counter)

    def add(self, tags: Tags, payload: PointPayload, possible: Mapping[str, frozenset[str]]) -> None:
        """Counts a product.

        Args:
            tags: told from its main picture.
            payload: of that picture.
            possible: values of each attribute, casefolded.
        """
        for name, value in tags.values.items():
            self.values[name][value] += 1
            self.probabilities[name] += tags.probabilities[name]
            said = _said(payload, name) & possible[name]
            if said:
                self.known[name] += 1
                self.agreeing[name] += value.casefold() in said


Progress = Callable[[TagCounts, int], None]
"""Called after each page with the counts so far and the number of products."""


def tag_catalog(
    store: VectorStore, alias: Alias, embedder: Embedder, tagger: Tagger, listen: Progress, *, dry_run: bool
) -> TagCounts:
    """Gives every picture of what an alias answers with its tags; others that it had go.

    Pages are durable as they are written; the same call after an interruption writes only what is still missing.
    Pictures that come later have no tags until the next call.

    Raises:
        CollectionNotFound: nothing is indexed.
        StoreLocked: another process is writing.
        CollectionOutdated: points of an earlier version; index the feed once.
        VitrineError: a part failed; what was written is kept.
    """
    counts = TagCounts()
    with closing(store.reader(alias)) as reader:
        total = reader.count_products()
        if dry_run:
            for mains in _pages(reader):
                ids = [point.payload.product_id for point in mains]
                _page_changes(reader.product_points(ids), reader, tagger, counts)
                listen(counts, total)
            return counts
        with closing(store.writer(alias, embedder.space)) as writer:
            for mains in _pages(reader):
                # from the writer: what an interrupted run has written already is there, and nowhere else
                there = writer.product_points([point.payload.product_id for point in mains])
                updates = _page_changes(there, reader, tagger, counts)
                writer.write(BatchChange(payloads=tuple(updates)))
                listen(counts, total)
            writer.publish()
    return counts


def _page_changes(
    products: Mapping[str, Sequence[StoredPoint]], reader: CollectionReader, tagger: Tagger, counts: TagCounts
) -> list[PayloadUpdate]:
    points = list(chain.from_iterable(products.values()))
    vectors = reader.vectors([point.id for point in points])
    known = [point for point in points if point.id in vectors]  # others are not published yet
    tags = tagger.tags(np.stack([vectors[point.id] for point in known])) if known else []
    updates = []
    for point, found in zip(known, tags, strict=True):
        payload = replace(point.payload, tags=found.values, tag_probabilities=found.probabilities)
        if payload != point.payload:
            updates.append(PayloadUpdate(point.id, payload, payload.changed_fields(point.payload)))
        if point.payload.main:
            counts.add(found, payload, tagger.possible)
    counts.products += len(products)
    counts.pictures += len(known)
    counts.changed += len(updates)
    return updates


def _said(payload: PointPayload, name: str) -> frozenset[str]:
    """What the feed says of an attribute, casefolded: several values may stand in one text (red/white)."""
    said = [payload.attributes.get(name, ""), *(payload.category if name == "category" else ())]
    return frozenset(value.strip().casefold() for text in said for value in re.split(r"[/,;]", text))


def _pages(reader: CollectionReader) -> Iterator[tuple[StoredPoint, ...]]:
    after: OrderedAfter | None = None
    while True:
        page = reader.ordered(OrderedQuery("catalog", _PAGE, after=after))
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = OrderedAfter.of("catalog", page[-1])
