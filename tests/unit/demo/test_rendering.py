"""The renderer: the same seeds give the same pixels, other choices other ones, and everything can be drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from indexer.demo.photographs import CHANGES, changed_photo, shop_photo
from indexer.demo.rendering.backdrops import ROOMS, STUDIO, Backdrop
from indexer.demo.rendering.camera import View
from indexer.demo.rendering.colours import PALETTE, linear, to_srgb
from indexer.demo.rendering.mesh import Mesh
from indexer.demo.rendering.patterns import PATTERNS, accent_share
from indexer.demo.rendering.raster import rasterise
from indexer.demo.rendering.scene import Look, draw, photograph
from indexer.demo.rendering.shading import Light, box_blur
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.rendering.solids import ellipsoid, rounded_box

MUG = Look("mug", "red", "dotted", "white", 7)
FRONT = View(-20, 20)


def pixels(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(picture, dtype=np.float64)


def test_the_same_seeds_give_the_same_picture() -> None:
    first, second = (shop_photo(MUG, 1, 96, seed=4) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.size == (96, 96)
    assert first.mode == "RGB"


@pytest.mark.parametrize(
    "other",
    [
        replace(MUG, colour="green"),
        replace(MUG, pattern="plain"),
        replace(MUG, accent="black"),
        replace(MUG, shape_seed=8),
        replace(MUG, product_type="teapot"),
    ],
)
def test_another_look_is_another_picture(other: Look) -> None:
    views = [pixels(photograph(look, FRONT, Light(), Backdrop(), 96)) for look in (MUG, other)]
    assert np.abs(views[0] - views[1]).mean() > 1.5


@pytest.mark.parametrize("product_type", DRAWINGS)
def test_every_type_fills_the_frame_as_asked(product_type: str) -> None:
    drawing = DRAWINGS[product_type]
    look = Look(product_type, "orange", drawing.patterns[-1], "black", 3)
    layers = draw(look, View(drawing.azimuth_deg, drawing.elevation_deg, fill=0.8), Light(), 80)
    assert layers.light.shape == (80, 80, 3)
    assert np.isfinite(layers.light).all()
    assert 0 <= layers.cover.min() <= layers.cover.max() <= 1
    rows, columns = np.nonzero(layers.cover > 0.5)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    assert extent == pytest.approx(64, abs=3)
    assert 0.03 < layers.cover.mean() < 0.7


@pytest.mark.parametrize("product_type", DRAWINGS)
def test_a_type_takes_the_colour_it_is_given(product_type: str) -> None:
    """The median pixel of a product in its colour is nearer to that colour's hue than to its opposite's."""
    drawing = DRAWINGS[product_type]
    means = []
    for colour in ("red", "blue"):
        view = View(drawing.azimuth_deg, drawing.elevation_deg)
        layers = draw(Look(product_type, colour, "plain", "white", 3), view, Light(), 64)
        means.append(layers.light[layers.cover > 0.9].mean(axis=0))
    red, blue = means
    assert red[0] - red[2] > blue[0] - blue[2] + 0.02


@pytest.mark.parametrize("kind", [STUDIO, *ROOMS])
def test_every_backdrop_can_be_painted(kind: str) -> None:
    views = [pixels(photograph(MUG, FRONT, Light(), Backdrop(kind, seed), 64)) for seed in (1, 2)]
    assert np.abs(views[0] - views[1]).mean() > 0.3


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_photo_differs_from_the_shops(change: str) -> None:
    shop = shop_photo(MUG, 0, 96, seed=9)
    changed = changed_photo(MUG, change, 96, seed=9)  # type: ignore[arg-type]
    assert np.abs(pixels(changed.resize(shop.size)) - pixels(shop)).mean() > 1


def test_the_nearest_surface_is_the_one_seen() -> None:
    screen = np.array([[0, 0], [8, 0], [0, 8], [8, 8]] * 2, dtype=np.float32)
    nearness = np.array([0.5] * 4 + [0.9] * 4, dtype=np.float32)
    faces = np.array([[4, 5, 6], [5, 7, 6], [0, 1, 2], [1, 3, 2]], dtype=np.int32)
    seen = rasterise(screen, nearness, faces, 8)
    assert sorted(seen.pixel.tolist()) == list(range(64))
    assert set(seen.face.tolist()) == {0, 1}
    assert seen.weights.sum(axis=1) == pytest.approx(np.ones(64), abs=1e-5)


def test_triangles_outside_the_picture_are_left_out() -> None:
    screen = np.array([[-9, -9], [-1, -9], [-9, -1]], dtype=np.float32)
    seen = rasterise(screen, np.ones(3, np.float32), np.array([[0, 1, 2]], np.int32), 8)
    assert len(seen.pixel) == 0


@pytest.mark.parametrize("mesh", [ellipsoid(1, 0.6, 0.8), rounded_box(1, 2, 0.5)], ids=["ellipsoid", "box"])
def test_normals_of_closed_solids_point_outwards(mesh: Mesh) -> None:
    assert (np.einsum("ij,ij->i", mesh.points, mesh.normals) > 0).all()
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(np.ones(len(mesh.normals)), abs=1e-4)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_close_on_themselves(pattern: str) -> None:
    rng = np.random.default_rng(0)
    u, v = (rng.uniform(0, 4, 500).astype(np.float32) for _ in range(2))
    # Two repeats along v: odd rows of dots are shifted.
    moved = accent_share(pattern, u + np.float32(3), v + np.float32(2))
    assert np.mean(accent_share(pattern, u, v) == moved) > 0.99
    share = float(accent_share(pattern, u, v).mean())
    assert share == 0 if pattern == "plain" else 0.1 < share < 0.5


def test_colour_conversions_meet() -> None:
    for name, srgb in PALETTE.items():
        assert to_srgb(linear(srgb) * np.float32(0.8)).max() <= 1, name
    assert to_srgb(linear((128, 128, 128)))[0] * 255 == pytest.approx(128, abs=3)


def test_blur_keeps_the_mean() -> None:
    picture = np.zeros((41, 41), np.float32)
    picture[20, 20] = 1
    blurred = box_blur(picture, 2)
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert blurred[20, 20] == blurred.max() < 0.2
    assert box_blur(picture, 0) is picture
