"""Searches of which it is known what they should find, and what they found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.calibration.logistic import Labels, Scores
from indexer.points import PointPayload, Vectors
from indexer.store.filters import AnyOf, Filter, Not
from indexer.store.port import CollectionReader
from indexer.store.queries import Hit, SearchQuery

HITS = 10
"""Of each query: what a shopper sees of an answer at first."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A query of which it is known what it should find.

    Attributes:
        vector: float32 (D,), length 1.
        product_ids: what it should find.
        title: products with this title are right too; empty for photos.
        category: of what it should find.
        without_sha256: a picture that is left out of the search: the query itself.
        same_sha256: a picture that is right whichever product has it.
    """

    vector: Vectors
    product_ids: frozenset[str]
    title: str = ""
    category: tuple[str, ...] = ()
    without_sha256: str = ""
    same_sha256: str = ""

    def is_right(self, payload: PointPayload) -> bool:
        """Whether a found picture shows what was asked for."""
        return (
            payload.product_id in self.product_ids
            or (bool(self.title) and payload.title == self.title)
            or (bool(self.same_sha256) and payload.image_sha256 == self.same_sha256)
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hits of many probes.

    Every probe counts twice: as it is, and as if its product were not in the catalog, where only wrong hits are left.
    So what is fitted holds for shoppers half of whose photos show something that the shop has.

    Attributes:
        scores: cosines of the hits, float64 (N,).
        right: whether each shows what was asked for.
        same_category: whether each is of its category; empty where the catalog has no categories.
        weights: 1 for a right hit, 2 for a wrong one, as it would be found in both cases.
        probe: number of each hit's probe, int64 (N,).
        best: the best cosine of every probe, float64 (P,).
        strangers: the best cosine of every probe among products of other top-level categories; empty where there are
            none.
    """

    scores: Scores
    right: Labels
    same_category: Labels
    weights: Scores
    probe: np.ndarray[tuple[int], np.dtype[np.int64]]
    best: Scores
    strangers: Scores


def gather(probes: Sequence[Probe], reader: CollectionReader, done: Callable[[int], None]) -> Evidence:
    """Searches for every probe.

    Args:
        probes: at least one.
        reader: of the collection.
        done: told how many are through.

    Raises:
        StoreError: the store does not answer.
    """
    found: list[tuple[Probe, tuple[Hit, ...]]] = []
    strangers: list[float] = []
    several = len({probe.category[0] for probe in probes if probe.category}) > 1
    for count, probe in enumerate(probes, 1):
        where: Filter | None = Not(AnyOf("image_sha256", (probe.without_sha256,))) if probe.without_sha256 else None
        hits = reader.search(SearchQuery(probe.vector, HITS, where=where)).hits
        if hits:
            found.append((probe, hits))
        if several and probe.category:
            others = Not(AnyOf("category_path", (probe.category[0],)))
            strange = reader.search(SearchQuery(probe.vector, 1, where=others)).hits
            strangers += [hit.score for hit in strange]
        done(count)
    flat = [(number, probe, hit) for number, (probe, hits) in enumerate(found) for hit in hits]
    right = np.array([probe.is_right(hit.point.payload) for _, probe, hit in flat], dtype=np.bool_)
    categories = any(probe.category for probe in probes)
    same = [hit.point.payload.category == probe.category for _, probe, hit in flat] if categories else []
    return Evidence(
        scores=np.array([hit.score for *_, hit in flat], dtype=np.float64),
        right=right,
        same_category=np.array(same, dtype=np.bool_),
        weights=np.where(right, 1.0, 2.0),
        probe=np.array([number for number, *_ in flat], dtype=np.int64),
        best=np.array([hits[0].score for _, hits in found], dtype=np.float64),
        strangers=np.array(strangers, dtype=np.float64),
    )
