"""Metrics against values worked out by hand, and scikit-learn's where it is at hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from indexer.evaluation.metrics import METRICS, estimate, hit_at, ndcg_at, recall_at, reciprocal_rank

RANKED = ["a", "b", "c", "d", "e"]


def test_hits() -> None:
    assert [hit_at(k, RANKED, frozenset("c")) for k in (1, 2, 3, 5)] == [0, 0, 1, 1]
    assert hit_at(5, RANKED, frozenset("z")) == 0
    assert hit_at(5, [], frozenset("z")) == 0


def test_recall() -> None:
    assert recall_at(3, RANKED, frozenset("acz")) == pytest.approx(2 / 3)
    assert recall_at(1, RANKED, frozenset("abcde")) == pytest.approx(1 / 5)


def test_reciprocal_rank() -> None:
    assert reciprocal_rank(RANKED, frozenset("dc")) == pytest.approx(1 / 3)
    assert reciprocal_rank(RANKED, frozenset("z")) == 0


def test_ndcg() -> None:
    # relevant at ranks 2 and 5 of two: (1/log2(3) + 1/log2(6)) / (1 + 1/log2(3))
    expected = (1 / math.log2(3) + 1 / math.log2(6)) / (1 + 1 / math.log2(3))
    assert ndcg_at(10, RANKED, frozenset("be")) == pytest.approx(expected)
    assert ndcg_at(10, RANKED, frozenset("ab")) == pytest.approx(1)
    assert ndcg_at(2, RANKED, frozenset("abc")) == pytest.approx(1)


def test_every_metric_of_the_issue_is_there() -> None:
    assert list(METRICS) == ["hit@1", "hit@5", "hit@10", "recall@10", "MRR", "nDCG@10"]


def test_the_interval_covers_the_mean_and_is_repeatable() -> None:
    values = [1.0] * 30 + [0.0] * 70
    first = estimate(values)
    assert first == estimate(values)
    assert first.mean == pytest.approx(0.3)
    assert first.low < 0.3 < first.high
    # the normal approximation of a share: 1.96 * sqrt(p (1 - p) / n)
    assert first.high - first.low == pytest.approx(2 * 1.96 * math.sqrt(0.3 * 0.7 / 100), rel=0.15)


def test_certainty_has_no_width() -> None:
    assert estimate([1.0, 1.0]).low == estimate([1.0, 1.0]).high == 1
    assert np.isfinite(estimate([0.5]).mean)
