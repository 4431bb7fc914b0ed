"""Boxes as people draw them, and the crops made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from indexer.errors import BoxInvalid
from indexer.regions.box import Box, Crop
from indexer.regions.choice import closest


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ((0.5, 0.2, 0.5, 0.6), "empty"),
        ((0.6, 0.2, 0.5, 0.6), "empty"),
        ((0.2, 0.7, 0.5, 0.6), "empty"),
        ((-0.1, 0, 0.5, 0.6), "outside"),
        ((0.1, 0, 0.5, 1.2), "outside"),
        ((120, 40, 300, 200), "outside"),
        ((0.1, 0.1, 0.11, 0.9), "tiny"),
        ((0.1, math.nan, 0.5, 0.9), "not four numbers"),
        ((0.1, 0.2, 0.5), "not four numbers"),
    ],
)
def test_a_box_that_cannot_be_says_why(sides: tuple[float, ...], said: str) -> None:
    with pytest.raises(BoxInvalid, match=said):
        Box.checked(sides)


def test_a_box_may_reach_the_edges() -> None:
    assert Box.checked((0, 0, 1, 1)).to_list() == [0, 0, 1, 1]


def test_overlap_is_intersection_over_union() -> None:
    half = Box(0, 0, 0.5, 1)
    assert half.overlap(half) == 1
    assert half.overlap(Box(0.5, 0, 1, 1)) == 0
    assert half.overlap(Box(0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)
    assert half.overlap(Box(0, 0, 1, 1)) == pytest.approx(0.5)


def numbered(width: int, height: int) -> Image.Image:
    """A picture in which each pixel's red and green say where it is."""
    rows, columns = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([columns, rows, rows * 0], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        (Box(0.4, 0.4, 0.6, 0.8), 0.0, (60, 40, 100, 80)),  # square, about the box's middle
        (Box(0.4, 0.4, 0.6, 0.8), 0.25, (50, 30, 110, 90)),
        (Box(0.0, 0.0, 0.25, 0.4), 0.25, (0, 0, 60, 60)),  # moved in at the corner
        (Box(0.75, 0.6, 1.0, 1.0), 0.25, (100, 40, 160, 100)),
        (Box(0.0, 0.3, 1.0, 0.5), 0.0, (0, 0, 160, 100)),  # longer than the photo is high
    ],
)
def test_crops_are_square_and_stay_in_the_photo(box: Box, margin: float, expected: tuple[int, int, int, int]) -> None:
    made = np.asarray(Crop(box, margin).of(numbered(160, 100)))
    assert (*made[0, 0, :2], *(made[-1, -1, :2] + 1)) == expected


def test_a_box_with_too_few_pixels_is_refused_and_a_tiny_photo_is_not() -> None:
    with pytest.raises(BoxInvalid, match="8 x 80 pixels"):
        Crop(Box(0.1, 0.1, 0.15, 0.9), 0.1).of(numbered(160, 100))
    assert Crop(Box(0, 0, 1, 1), 0.1).of(numbered(5, 5)).size == (5, 5)


@pytest.mark.parametrize(
    ("whole", "crops", "chosen"),
    [
        (0.5, [], None),
        (0.5, [0.4, 0.3], None),
        (0.5, [0.54], None),  # hardly nearer
        (0.5, [0.4, 0.8, 0.7], 1),
        (0.95, [0.953], None),
        (0.95, [0.96], 0),
    ],
)
def test_a_crop_must_be_clearly_nearer(whole: float, crops: list[float], chosen: int | None) -> None:
    assert closest(whole, crops) == chosen
