"""Figures of agreement, on vectors whose figures are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.embedding.port import normalise_rows
from indexer.points import Vectors
from indexer.precision.agreement import Agreement, SampleVectors, image_figures, text_figures, top_overlap


def directions(count: int, dim: int = 64, seed: int = 0) -> Vectors:
    return normalise_rows(np.random.default_rng(seed).standard_normal((count, dim)))


def turned(vectors: Vectors, cosine: float, seed: int = 1) -> Vectors:
    """Each vector turned by the same angle, in a direction of its own."""
    noise = np.random.default_rng(seed).standard_normal(vectors.shape)
    noise -= np.sum(noise * vectors, axis=1, keepdims=True) * vectors
    return normalise_rows(cosine * vectors + np.sqrt(1 - cosine**2) * normalise_rows(noise))


REFERENCE = SampleVectors(directions(100), directions(30, seed=5))


def test_equal_vectors_agree_wholly() -> None:
    figures = image_figures(REFERENCE, REFERENCE.pictures)
    assert figures.mean_cosine == pytest.approx(1)
    assert figures.overlap == 1
    assert text_figures(REFERENCE, REFERENCE.texts).overlap == 1


@pytest.mark.parametrize("cosine", [0.999, 0.98, 0.7])
def test_cosines_are_those_of_the_vectors(cosine: float) -> None:
    figures = image_figures(REFERENCE, turned(REFERENCE.pictures, cosine))
    for value in (figures.mean_cosine, figures.low_cosine, figures.min_cosine):
        assert value == pytest.approx(cosine, abs=1e-5)


def test_overlap_falls_as_vectors_turn_away() -> None:
    overlaps = [image_figures(REFERENCE, turned(REFERENCE.pictures, cosine)).overlap for cosine in (0.9999, 0.99, 0.5)]
    assert 1 > overlaps[0] > overlaps[1] > overlaps[2] > 0
    assert overlaps[0] > 0.95


def test_a_few_pictures_far_off_show_in_the_low_percentile_and_not_in_the_mean() -> None:
    vectors = REFERENCE.pictures.copy()
    vectors[:8] = turned(vectors[:8], 0.9)
    figures = image_figures(REFERENCE, vectors)
    assert figures.mean_cosine > 0.99
    assert figures.low_cosine == pytest.approx(0.9, abs=1e-4)


def test_turning_all_alike_keeps_the_order_among_pictures_but_is_found_out() -> None:
    """A catalog and its queries that are wrong in the same way agree with each other, and with nothing else."""
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((64, 64)))[0].astype(np.float32)
    rotated = normalise_rows(REFERENCE.pictures @ rotation)
    assert image_figures(REFERENCE, rotated).overlap < 0.3


def test_overlap_by_hand() -> None:
    right = np.tile(np.linspace(1, 0, 20, dtype=np.float32), (2, 1))
    scores = right.copy()
    assert top_overlap(right, scores) == 1
    scores[0, 9], scores[0, 10] = right[0, 10], right[0, 9]  # the tenth and the eleventh change places
    assert top_overlap(right, scores) == pytest.approx(0.95)


def test_equal_scores_stand_in_any_order() -> None:
    right = np.zeros((1, 40), dtype=np.float32)
    right[0, :9] = 1
    scores = np.random.default_rng(0).random((1, 40)).astype(np.float32)
    scores[0, :9] += 2
    assert top_overlap(right, scores) == 1


GOOD = Agreement("images", "openvino int8 on cpu", 300, 100, "a feed", 0.995, 0.99, 0.9, 0.95)


def test_the_limits_are_met_and_missed_by_each_figure() -> None:
    assert GOOD.passes
    assert not replace(GOOD, mean_cosine=0.9899).passes
    assert not replace(GOOD, low_cosine=0.9899).passes
    assert not replace(GOOD, overlap=0.9499).passes
    assert not replace(GOOD, failure="the model failed").passes
    assert not replace(GOOD, overlap=float("nan")).passes
    assert not replace(GOOD, mean_cosine=float("nan")).passes
    assert replace(GOOD, min_cosine=0.1).passes
    assert "0.9950" in GOOD.figures
    assert "0.950" in GOOD.figures
    assert replace(GOOD, failure="it failed").figures == "it failed"
