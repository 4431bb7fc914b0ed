"""Diversity and duplicates."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from indexer.points import Vectors
from indexer.search.collapse import DEFAULT_THRESHOLD, collapsed, copy_threshold, hit_threshold
from indexer.search.diversity import DIVERSIFIED, diverse_order
from indexer.search.hits import RankedHit
from indexer.store.ranking import RankedGroup, RankedPoint


def unit(rows: list[list[float]]) -> Vectors:
    array = np.array(rows, dtype=np.float32)
    vectors: Vectors = array / np.linalg.norm(array, axis=1, keepdims=True)
    return vectors


TWO_KINDS = unit([[1, 0.0, 0], [1, 0.01, 0], [1, 0.02, 0], [0.5, 0, 1], [0.5, 0.01, 1]])
SCORES = [0.95, 0.94, 0.93, 0.80, 0.79]


def test_without_diversity_the_order_stays() -> None:
    assert diverse_order(SCORES, TWO_KINDS, 0.0) == [0, 1, 2, 3, 4]


def test_diversity_brings_the_other_kind_forward_and_loses_nothing() -> None:
    order = diverse_order(SCORES, TWO_KINDS, 0.6)
    assert order[:2] == [0, 3]
    assert sorted(order) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("diversity", [0.1, 0.5, 1.0])
def test_an_order_is_complete_and_always_the_same(diversity: float) -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng.standard_normal((DIVERSIFIED + 40, 8)).tolist())
    scores = sorted(rng.uniform(0, 1, len(vectors)).tolist(), reverse=True)
    order = diverse_order(scores, vectors, diversity)
    assert sorted(order) == list(range(len(vectors)))
    assert order[0] == 0
    assert order[DIVERSIFIED:] == list(range(DIVERSIFIED, len(vectors)))
    assert order == diverse_order(scores, vectors, diversity)


def test_the_same_picture_of_several_products_is_one_hit() -> None:
    hits = [
        RankedHit(RankedGroup((RankedPoint(UUID(int=number), f"p{number}", 0, score),)))
        for number, score in enumerate(SCORES)
    ]
    found = collapsed(hits, TWO_KINDS, threshold=0.9999)
    assert [hit.group.best.product_id for hit in found] == ["p0", "p2", "p3"]
    assert [[group.best.product_id for group in hit.duplicates] for hit in found] == [["p1"], [], ["p4"]]
    assert collapsed(found, TWO_KINDS[[0, 2, 3]], threshold=0.99)[0].names("product") == {"pp0", "pp1", "pp2"}
    assert collapsed([], TWO_KINDS[:0], threshold=0.9) == []


def test_a_copy_is_nearer_than_other_products_are() -> None:
    apart = copy_threshold([0.8] * 15 + [0.7, 0.9] * 5)
    close = copy_threshold([0.95] * 30)
    assert 0.9 < apart < close < hit_threshold(close) < 1
    assert copy_threshold([0.95] * 30 + [1.0] * 100) == close, "copies in the catalog say nothing of what differs"
    assert copy_threshold([0.5] * 3) == DEFAULT_THRESHOLD
