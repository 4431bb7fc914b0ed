"""Made-up products drawn for training: many looks, two views of each, kept apart from their backgrounds."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.demo.assortment import random_accent
from indexer.demo.captions import is_held_out
from indexer.demo.photographs import front_view, home_light, side_view, studio_light
from indexer.demo.rendering.backdrops import ROOMS, STUDIO, Backdrop, paint_backdrop
from indexer.demo.rendering.camera import View, aim
from indexer.demo.rendering.colours import PALETTE, to_srgb
from indexer.demo.rendering.patterns import PATTERNS
from indexer.demo.rendering.scene import Look, draw
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.training.sources import Pixels
from indexer.processors import available_cores

DRAWING_PX = 144
VIEWS_PER_LOOK = 3
TRAINING_SEED_BASE = 5_000_000
"""Shape seeds of training start here; those of sample catalogs end below 1 000 000."""


@dataclass(frozen=True)
class Drawings:
    """Drawn products and backdrops.

    Attributes:
        looks: what was drawn, one per row.
        layers: uint8 (L, V, S, S, 5): sRGB, coverage, shadow of each view (a memory map).
        studios: uint8 (A, S, S, 3), a shop's studio backdrops.
        rooms: uint8 (B, S, S, 3), other backdrops.
    """

    looks: tuple[Look, ...]
    layers: Pixels
    studios: Pixels
    rooms: Pixels


def training_looks(count: int, seed: int) -> list[Look]:
    """Looks that hold no held-out combination, every allowed combination about equally often."""
    rng = np.random.default_rng([seed, 61])
    allowed = [
        (name, colour, pattern)
        for name, drawing in DRAWINGS.items()
        for colour in PALETTE
        for pattern in drawing.patterns
        if not is_held_out(name, colour, pattern)
    ]
    looks: list[Look] = []
    while len(looks) < count:
        for index in rng.permutation(len(allowed)):
            name, colour, pattern = allowed[int(index)]
            shape_seed = TRAINING_SEED_BASE + int(rng.integers(1_000_000))
            looks.append(Look(name, colour, pattern, random_accent(colour, rng), shape_seed))
    return looks[:count]


def drawings(folder: Path, count: int, seed: int) -> Drawings:
    """Drawn products, from the cache in ``folder`` or drawn now (about 25 a second on one core)."""
    folder.mkdir(parents=True, exist_ok=True)
    looks = training_looks(count, seed)
    note = {"count": count, "seed": seed, "views": VIEWS_PER_LOOK, "size_px": DRAWING_PX, "last": asdict(looks[-1])}
    layers_path, done = folder / "layers.npy", folder / "done.json"
    shape = (count, VIEWS_PER_LOOK, DRAWING_PX, DRAWING_PX, 5)
    if not done.is_file() or json.loads(done.read_text(encoding="utf-8")) != note:
        layers = np.lib.format.open_memmap(layers_path, mode="w+", dtype=np.uint8, shape=shape)
        for index, views in enumerate(_drawn_in_parallel(looks, seed)):
            layers[index] = views
        layers.flush()
        np.save(folder / "studios.npy", _backdrops((STUDIO,), 300, seed))
        np.save(folder / "rooms.npy", _backdrops(ROOMS, 1400, seed))
        done.write_text(json.dumps(note), encoding="utf-8")
    return Drawings(
        looks=tuple(looks),
        layers=np.load(layers_path, mmap_mode="r"),
        studios=np.load(folder / "studios.npy"),
        rooms=np.load(folder / "rooms.npy"),
    )


def _drawn_in_parallel(looks: list[Look], seed: int) -> Iterator[Pixels]:
    started_s = time.monotonic()
    jobs = [(look, seed * 1_000_003 + i) for i, look in enumerate(looks)]
    with ProcessPoolExecutor(available_cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, views in enumerate(pool.map(_draw_views, jobs, chunksize=8), start=1):
            if done % 200 == 0:
                spent_s = time.monotonic() - started_s
                left_s = spent_s / done * (len(jobs) - done)
                sys.stderr.write(f"drawn {done}/{len(jobs)}, {done / spent_s:.1f}/s, {left_s:.0f} s left\n")
            yield views


def _draw_views(job: tuple[Look, int]) -> Pixels:
    """All views of a look: uint8 (V, S, S, 5). The first is frontal, the second from a side, the third anyhow."""
    look, seed = job
    rng = np.random.default_rng(seed)
    drawing = DRAWINGS[look.product_type]
    anyhow = View(
        drawing.azimuth_deg + drawing.swing_deg * float(rng.uniform(-1, 1)),
        max(1.0, drawing.elevation_deg + float(rng.uniform(-10, 18))),
        roll_deg=float(rng.normal(0, 4)),
    )
    views = (front_view(look, rng), side_view(look, rng), anyhow)
    pictures = []
    for view in views[:VIEWS_PER_LOOK]:
        light = studio_light(rng) if rng.random() < 0.6 else home_light(rng)
        layers = draw(look, view, light, DRAWING_PX)
        solid = layers.light / np.maximum(layers.cover, 1e-3)[..., None]
        flat = np.concatenate([to_srgb(solid), layers.cover[..., None], layers.shadow[..., None]], axis=-1)
        pictures.append((flat * 255 + 0.5).clip(0, 255).astype(np.uint8))
    return np.stack(pictures)


def _backdrops(kinds: tuple[str, ...], count: int, seed: int) -> Pixels:
    """Empty scenes, uint8 (count, S, S, 3), seen from random heights."""
    rng = np.random.default_rng([seed, 71])
    box = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.6, 0.6) for z in (-0.5, 0.5)], dtype=np.float32)
    scenes = []
    for index in range(count):
        camera = aim(View(0, float(rng.uniform(2, 50))), box, DRAWING_PX)
        backdrop = Backdrop(kinds[index % len(kinds)], int(rng.integers(1 << 30)))
        scene = paint_backdrop(backdrop, camera, float(rng.uniform(-2.0, -0.3)), DRAWING_PX)
        level = np.float32(rng.uniform(0.7, 1.1))
        scenes.append((to_srgb(scene * level) * 255).clip(0, 255).astype(np.uint8))
    return np.stack(scenes)


def look_codes(looks: tuple[Look, ...]) -> NDArray[np.int64]:
    """Attributes as numbers: int64 (L, 4), columns type, colour, pattern, accent."""
    types, colours = list(DRAWINGS), list(PALETTE)
    return np.array(
        [
            (
                types.index(look.product_type),
                colours.index(look.colour),
                PATTERNS.index(look.pattern),
                colours.index(look.accent),
            )
            for look in looks
        ],
        dtype=np.int64,
    )
