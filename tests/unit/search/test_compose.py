"""Composing vectors: the parts add up, and pull where they should."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.points import Vectors
from indexer.search.compose import CatalogGeometry, PartKind, QueryPart, ValueGroup, compose, needs_geometry, taken_away

DIM = 8


def unit(*values: float) -> Vectors:
    vector = np.zeros(DIM, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.float32(np.linalg.norm(vector))


# axis 0: what pictures have in common, 1: what texts have; 2, 3: red, blue; 4, 5: kinds
RED_MUG, BLUE_MUG, RED_HAT = unit(1, 0, 1, 0, 1), unit(1, 0, 0, 1, 1), unit(1, 0, 1, 0, 0, 1)
BLUE_HAT = unit(1, 0, 0, 1, 0, 1)
RED, BLUE, HAT = unit(0, 1, 1), unit(0, 1, 0, 1), unit(0, 1, 0, 0, 0, 1)
PICTURES = np.stack([RED_MUG, BLUE_MUG, RED_HAT, BLUE_HAT])
COLOURS = ValueGroup("color", np.stack([RED, BLUE]))
TEXT_MEAN = np.stack([RED, BLUE, HAT, unit(0, 1, 0, 0, 1)]).mean(axis=0)
GEOMETRY = CatalogGeometry(PICTURES.mean(axis=0), TEXT_MEAN, (COLOURS,))


def best(*parts: QueryPart) -> int:
    return int(np.argmax(PICTURES @ compose(parts, GEOMETRY).vector))


def test_one_picture_or_texts_alone_stay_as_they_are() -> None:
    assert np.allclose(compose([QueryPart("photo", "", RED_MUG)]).vector, RED_MUG)
    assert np.allclose(compose([QueryPart("text", "red", RED, 3.0)]).vector, RED)
    assert not needs_geometry([QueryPart("text", "red", RED), QueryPart("text", "hat", HAT)])
    assert needs_geometry([QueryPart("text", "red", RED), QueryPart("negative_text", "hat", HAT)])


def test_a_colour_replaces_the_colour() -> None:
    photo = QueryPart("photo", "", RED_MUG)
    assert best(photo) == 0
    assert best(photo, QueryPart("text", "in blue", BLUE)) == 1
    assert np.allclose(taken_away(BLUE, RED_MUG, GEOMETRY), RED, atol=0.05)
    assert np.allclose(taken_away(HAT, RED_MUG, CatalogGeometry(GEOMETRY.image_mean, TEXT_MEAN)), TEXT_MEAN)


def test_what_is_not_wanted_pushes_away() -> None:
    assert best(QueryPart("liked", "a", RED_MUG), QueryPart("disliked", "b", RED_HAT)) == 0
    assert best(QueryPart("disliked", "b", RED_MUG)) == 3
    text = QueryPart("text", "hat", HAT)
    assert best(text, QueryPart("negative_text", "red", RED, 2.0)) == 3
    assert best(text, QueryPart("negative_text", "blue", BLUE, 2.0)) == 2


def test_weights_count() -> None:
    mug, hat = QueryPart("photo", "0", RED_MUG, 3.0), QueryPart("photo", "1", BLUE_HAT, 1.0)
    assert best(mug, hat) == 0
    assert best(QueryPart("photo", "0", RED_MUG, 1.0), QueryPart("photo", "1", BLUE_HAT, 3.0)) == 3


@pytest.mark.parametrize("seed", range(4))
def test_shares_add_up_to_the_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: tuple[PartKind, ...] = ("photo", "product", "text", "liked", "disliked", "negative_text")
    parts = [
        QueryPart(kind, kind, unit(*rng.standard_normal(DIM).tolist()), float(rng.uniform(0.1, 3)))
        for kind in kinds
        if rng.random() < 0.7
    ]
    query = compose(parts or [QueryPart("text", "red", RED)], GEOMETRY)
    assert abs(float(np.linalg.norm(query.vector)) - 1) < 1e-5
    assert np.allclose(sum(share.vector for share in query.shares), query.vector, atol=1e-5)


def test_parts_that_cancel_out_still_make_a_vector() -> None:
    flat = CatalogGeometry(np.zeros(DIM, dtype=np.float32), np.zeros(DIM, dtype=np.float32))
    query = compose([QueryPart("photo", "", RED_MUG), QueryPart("disliked", "", RED_MUG, 2.0)], flat)
    assert abs(float(np.linalg.norm(query.vector)) - 1) < 1e-5
