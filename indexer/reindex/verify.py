"""Whether a filled collection is fit to serve: counts, samples, recall, labelled queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.embedding.port import Embedder
from indexer.evaluation.evaluate import evaluate
from indexer.evaluation.queries import LabelledQuery
from indexer.images.decoder import Decoder
from indexer.indexing.batch import Picture
from indexer.indexing.pipeline import IndexPipeline
from indexer.ledger.port import Counts
from indexer.ledger.reindexes import ReindexCheck
from indexer.points import StoredPoint, Vectors
from indexer.reindex.limits import VerifyLimits
from indexer.store.port import CollectionReader, VectorStore
from indexer.store.queries import SearchQuery

RECALL_AT = 10
GOLDEN_METRIC = "nDCG@10"
_SAME_PICTURE = 0.95
"""Cosine of a picture embedded now to its stored vector: other batches and number formats change last digits only."""
_TIE = 1e-3


@dataclass(frozen=True, slots=True)
class Golden:
    """Labelled queries, and how the index that serves now answers them.

    Attributes:
        queries: at least one.
        old_embedder, old_reader: of the index that serves now; None compares with nothing, as there is none.
        decoder: of the queries' photos.
    """

    queries: Sequence[LabelledQuery]
    decoder: Decoder
    old_embedder: Embedder | None = None
    old_reader: CollectionReader | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """What is verified.

    Attributes:
        collection: filled and published, not promoted.
        product_ids: a random few of its products.
        counts: of the run that filled it, event failures included.
        served_points: of the catalog's largest collection that serves now, 0 if none does.
    """

    collection: str
    product_ids: Sequence[str]
    counts: Counts
    served_points: int


class Verification:
    """The checks of one collection.

    Args:
        store: that holds it.
        pipeline: embeds sampled pictures once more.
        embedder: of its space.
        limits: what is good enough.
    """

    def __init__(self, store: VectorStore, pipeline: IndexPipeline, embedder: Embedder, limits: VerifyLimits) -> None:
        self._store = store
        self._pipeline = pipeline
        self._embedder = embedder
        self._limits = limits

    def run(self, filled: Filled, golden: Golden | None = None) -> tuple[ReindexCheck, ...]:
        """Every check, passed or not.

        Raises:
            StoreError, EmbedderError: a part failed.
            ConfigurationError: a golden query cannot be used.
        """
        near = self._store.collection_reader(filled.collection)
        exact = self._store.collection_reader(filled.collection, exact=True)
        try:
            points = near.status().points
            checks = [self._points(points, filled.counts), self._size(points, filled.served_points)]
            checks.append(self._failed(filled.counts))
            if sample := _main_points(near, filled.product_ids):
                stored = near.vectors([point.id for point in sample])
                known = [(point, stored[point.id]) for point in sample if point.id in stored]
                checks += [self._self_match(near, known), self._recall(near, exact, known)]
            if golden is not None:
                checks.append(self._golden(near, golden))
            return tuple(checks)
        finally:
            near.close()
            exact.close()

    def _points(self, points: int, counts: Counts) -> ReindexCheck:
        # failures of whole rows count as well, which only lowers what is expected
        expected = max(0, counts.images - counts.failed)
        ratio = points / expected if expected else float(points > 0)
        limit = self._limits.min_points_ratio
        detail = f"{points:,} points for {counts.images:,} pictures, of which {counts.failed:,} failed"
        return ReindexCheck("points", ratio, limit, ratio >= limit and points > 0, detail)

    def _size(self, points: int, served: int) -> ReindexCheck:
        ratio = points / served if served else 1.0
        limit = self._limits.min_size_ratio
        detail = f"{points:,} points; what serves now has {served:,}" if served else "nothing serves now"
        return ReindexCheck("size", ratio, limit, ratio >= limit, detail)

    def _failed(self, counts: Counts) -> ReindexCheck:
        ratio = counts.failed / max(1, counts.images)
        limit = self._limits.max_failed_ratio
        return ReindexCheck("failed", ratio, limit, ratio <= limit, f"{counts.failed:,} of {counts.images:,} pictures")

    def _self_match(self, near: CollectionReader, known: Sequence[tuple[StoredPoint, Vectors]]) -> ReindexCheck:
        pictures = [
            Picture(point.payload.image_ref, point.payload.image_root, point.payload.image_sha256) for point, _ in known
        ]
        embedded = self._pipeline.embed_pictures(pictures)
        matched = 0
        for (point, stored), fresh in zip(known, embedded, strict=True):
            query = stored if fresh is None else fresh
            own = float(query @ stored)
            (hit, *_) = near.search(SearchQuery(query, 1)).hits or (None,)
            found = hit is not None and (hit.product_id == point.payload.product_id or abs(hit.score - own) < _TIE)
            matched += own >= _SAME_PICTURE and found
        share, limit = matched / len(known), self._limits.min_self_match
        anew = sum(vector is not None for vector in embedded)
        detail = f"{matched:,} of {len(known):,} sampled pictures find themselves, {anew:,} of them embedded anew"
        return ReindexCheck("self-match@1", share, limit, share >= limit, detail)

    def _recall(
        self, near: CollectionReader, exact: CollectionReader, known: Sequence[tuple[StoredPoint, Vectors]]
    ) -> ReindexCheck:
        recalls: list[float] = []
        for point, vector in known:
            query = SearchQuery(vector, RECALL_AT, exclude_product_id=point.payload.product_id)
            best = exact.search(query).hits
            if not best:
                continue
            names = {hit.product_id for hit in best}
            # one as near as the last of the best is as good: equal pictures stand in any order
            right = [h for h in near.search(query).hits if h.product_id in names or h.score >= best[-1].score - _TIE]
            recalls.append(len(right) / len(best))
        recall = float(np.mean(recalls)) if recalls else 1.0
        limit = self._limits.min_recall
        detail = f"{recall:.1%} of what the exact search finds, over {len(recalls):,} queries"
        return ReindexCheck(f"recall@{RECALL_AT}", recall, limit, recall >= limit, detail)

    def _golden(self, near: CollectionReader, golden: Golden) -> ReindexCheck:
        new = _score(golden, self._embedder, near)
        old = None
        if golden.old_embedder is not None and golden.old_reader is not None:
            old = _score(golden, golden.old_embedder, golden.old_reader)
        limit = 0.0 if old is None else old - self._limits.max_golden_loss
        before = "with nothing to compare" if old is None else f"{old:.3f} now"
        detail = f"{GOLDEN_METRIC} {new:.3f} over {len(golden.queries):,} queries, {before}"
        return ReindexCheck("golden queries", new, limit, new >= limit, detail)


def _score(golden: Golden, embedder: Embedder, reader: CollectionReader) -> float:
    return evaluate(golden.queries, embedder, reader, golden.decoder)[0].metrics[GOLDEN_METRIC].mean


def _main_points(reader: CollectionReader, product_ids: Sequence[str]) -> list[StoredPoint]:
    return [points[0] for points in reader.product_points(product_ids).values()]


def sampled(product_ids: Iterable[str], size: int) -> list[str]:
    """At most ``size`` different ids from the front: points lie in the order of their ids, which are hashes."""
    ids: dict[str, None] = {}
    for product_id in product_ids:
        if len(ids) >= size:
            break
        ids[product_id] = None
    return list(ids)
