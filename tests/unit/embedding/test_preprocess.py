"""Preprocessing against values worked out by hand, and against open_clip's own transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from indexer.embedding.preprocess import Preprocess
from tests.pictures import drawn_picture

SIGLIP = Preprocess(4, "squash", "bicubic", (0.5,) * 3, (0.5,) * 3)


def test_squash_ignores_the_aspect_ratio() -> None:
    # left half black, right half white; a square of 4 keeps that, however wide the picture was
    wide = Image.new("RGB", (400, 4))
    wide.paste((255, 255, 255), (200, 0, 400, 4))
    result = SIGLIP.apply(wide)
    assert result.shape == (4, 4, 3)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[:, :1], 0)
    np.testing.assert_array_equal(result[:, 3:], 255)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    picture = drawn_picture(1, size=(4, 4))
    np.testing.assert_array_equal(SIGLIP.apply(picture), np.asarray(picture))


def test_halving_by_bicubic_gives_the_values_of_its_kernel() -> None:
    # Pillow widens the Keys kernel (a = -0.5) by the scale: at 1/2 the taps of an output pixel lie at distances
    # 0.25, 0.75, 1.25, 1.75 on both sides; outside the picture they are left out and the rest is renormalised
    def keys(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    values = np.array([0, 40, 80, 120, 160, 200, 240, 255], dtype=np.float64)
    expected = []
    for output in range(4):
        centre = (output + 0.5) * 2
        weights = np.array([keys((position + 0.5 - centre) / 2) for position in range(8)])
        expected.append(float(values @ weights / weights.sum()))
    row = Image.fromarray(np.repeat(values.astype(np.uint8)[None, :, None], 3, axis=2).repeat(8, axis=0))
    np.testing.assert_allclose(SIGLIP.apply(row)[0, :, 0], np.clip(expected, 0, 255), atol=1)


def test_fitting_the_shorter_side_crops_the_centre() -> None:
    clip = Preprocess(2, "shortest", "bicubic", (0.5,) * 3, (0.5,) * 3)
    stripes = Image.new("RGB", (6, 2))
    stripes.paste((255, 0, 0), (2, 0, 4, 2))
    np.testing.assert_array_equal(clip.apply(stripes), np.full((2, 2, 3), (255, 0, 0)))


def test_fitting_the_longer_side_pads() -> None:
    padded = Preprocess(4, "longest", "bicubic", (0.5,) * 3, (0.5,) * 3, fill_color=9).apply(
        Image.new("RGB", (4, 2), (1, 2, 3))
    )
    np.testing.assert_array_equal(padded[0], np.full((4, 3), 9))
    np.testing.assert_array_equal(padded[1], np.full((4, 3), (1, 2, 3)))


@pytest.mark.parametrize("resize_mode", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(97, 61), (61, 97), (32, 32), (31, 500), (500, 33), (20, 20)])
def test_it_is_open_clips_own_transform(resize_mode: Any, interpolation: Any, size: tuple[int, int]) -> None:
    recipe = Preprocess(32, resize_mode, interpolation, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), fill_color=7)
    picture = drawn_picture(3, size=size)
    config = PreprocessCfg(
        size=32,
        mean=recipe.mean,
        std=recipe.std,
        interpolation=interpolation,
        resize_mode=resize_mode,
        fill_color=7,
    )
    theirs = image_transform_v2(config, is_train=False)(picture).numpy().transpose(1, 2, 0)
    ours = (recipe.apply(picture) / 255.0 - np.array(recipe.mean)) / np.array(recipe.std)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_bytes_are_normalised_by_one_multiply_and_add() -> None:
    recipe = Preprocess(4, "squash", "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    values = np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16).repeat(3, axis=1)
    by_hand = [(values[0, index] / 255 - recipe.mean[index]) / recipe.std[index] for index in range(3)]
    np.testing.assert_allclose((values * recipe.byte_scale + recipe.byte_shift)[0], by_hand, atol=1e-6)


def test_the_fingerprint_tells_recipes_apart() -> None:
    recipes = [
        SIGLIP,
        Preprocess(8, "squash", "bicubic", (0.5,) * 3, (0.5,) * 3),
        Preprocess(4, "shortest", "bicubic", (0.5,) * 3, (0.5,) * 3),
        Preprocess(4, "squash", "bilinear", (0.5,) * 3, (0.5,) * 3),
        Preprocess(4, "squash", "bicubic", (0.4815, 0.4578, 0.4082), (0.5,) * 3),
    ]
    assert len({recipe.fingerprint for recipe in recipes}) == len(recipes)
    assert SIGLIP.fingerprint == Preprocess(4, "squash", "bicubic", (0.5,) * 3, (0.5,) * 3).fingerprint
