"""Heat maps: what is hot, and what the picture of it weighs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from indexer.embedding.patches import PatchMap
from indexer.regions.heat import agreement, heat_png


def patches_with(place: tuple[int, int], toward: int, grid: int = 8) -> PatchMap:
    vectors = np.zeros((grid, grid, 4), dtype=np.float32)
    vectors[..., 0] = 1
    vectors[place] = np.eye(4, dtype=np.float32)[toward]
    return PatchMap(vectors, np.full((grid, grid), grid**-2, dtype=np.float32))


def test_what_agrees_is_hot_and_nothing_else() -> None:
    heat = agreement(patches_with((2, 5), 1), np.eye(4, dtype=np.float32)[1])
    assert heat[2, 5] == 1
    assert heat.sum() == 1


@pytest.mark.parametrize("sign", [0.0, -1.0])
def test_where_nothing_agrees_nothing_is_hot(sign: float) -> None:
    heat = agreement(patches_with((2, 5), 1), sign * np.eye(4, dtype=np.float32)[1])
    assert heat.max() == 0


def test_patches_that_the_pooling_does_not_look_at_are_cold() -> None:
    patches = patches_with((2, 5), 1)
    vectors = patches.vectors.copy()
    vectors[6, 1] = vectors[2, 5]
    weights = patches.weights.copy()
    weights[6, 1] = 0
    heat = agreement(PatchMap(vectors, weights), np.eye(4, dtype=np.float32)[1])
    assert (heat[2, 5], heat[6, 1]) == (1, 0)


def test_the_png_is_small_and_lies_where_the_heat_is() -> None:
    heat = np.zeros((14, 14), dtype=np.float32)
    heat[2:5, 8:12] = 1
    png = heat_png(heat, side_px=128)
    assert len(png) < 4000
    with Image.open(io.BytesIO(png)) as picture:
        alpha = np.asarray(picture)[..., 3]
        assert picture.mode == "RGBA"
    assert alpha.shape == (128, 128)
    assert 150 < alpha[30, 92] < 255
    assert alpha[100:, :60].max() == 0
    rough = heat_png(np.random.default_rng(3).random((16, 16), dtype=np.float32), side_px=128)
    assert len(rough) < 20_000
