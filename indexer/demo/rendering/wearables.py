"""Shapes of clothes, shoes, hats and bags."""

from __future__ import annotations

import numpy as np

from indexer.demo.rendering.mesh import TILE_UNITS, Mesh, from_grid, merge
from indexer.demo.rendering.parts import BRASS, CLOTH, DARK_METAL, RUBBER, STEEL, Part, Rng, Surface, bare, between
from indexer.demo.rendering.solids import (
    ellipsoid,
    mirrored,
    puffed_outline,
    rounded_box,
    rounded_line,
    sliced_body,
    smooth_line,
    tube,
    turned_body,
)

LEATHER = Surface(patterned=True, gloss=0.25)
SHELL = Surface(patterned=True, gloss=0.45)


def _arch(width: float, height: float, count: int = 24) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """An upright half ellipse in the x-y plane from (-width, 0) to (width, 0): float32 (count, 3)."""
    angle = np.linspace(np.pi, 0, count)
    return np.stack([width * np.cos(angle), height * np.sin(angle), 0 * angle], 1).astype(np.float32)


def backpack(rng: Rng) -> list[Part]:
    """A rounded bag with a front pocket, a grab loop and two shoulder straps."""
    width, height = between(rng, 0.5, 0.58), between(rng, 0.72, 0.85)
    body = ellipsoid(width, height, 0.3, power=3.4).moved(y=height)
    pocket = ellipsoid(width * 0.78, height * 0.4, 0.14, power=4.5).moved(y=height * 0.56, z=0.27)
    loop = tube(_arch(0.14, 0.17), 0.035, segments=10).moved(y=2 * height - 0.03, z=-0.08)
    straps = []
    for side in (-1, 1):
        line = smooth_line(
            [
                (side * 0.22, 1.9 * height, -0.22),
                (side * (width + 0.12), 1.35 * height, -0.42),
                (side * (width + 0.1), 0.6 * height, -0.42),
                (side * width * 0.8, 0.2 * height, -0.22),
            ],
            24,
        )
        straps.append(tube(line, np.full((24, 2), [0.075, 0.03], np.float32), segments=10))
    zip_line = np.stack([np.linspace(-1, 1, 16) * width * 0.6, np.full(16, height * 0.83), np.full(16, 0.42)], 1)
    zips = [tube(zip_line.astype(np.float32), 0.018, segments=6)]
    bend = np.linspace(np.pi * 0.98, np.pi * 0.02, 30)
    seam = np.stack([width * 0.93 * np.cos(bend), height * (1.2 + 0.68 * np.sin(bend)), np.full(30, 0.17)], 1)
    zips.append(tube(seam.astype(np.float32), 0.02, segments=6))
    dark = RUBBER
    return [
        Part(body, CLOTH),
        Part(pocket, bare(CLOTH) if rng.random() < 0.5 else CLOTH),
        Part(loop, dark),
        Part(merge(straps), dark),
        Part(merge(zips), DARK_METAL),
    ]


def handbag(rng: Rng) -> list[Part]:
    """A bag wider below than above, two arched handles, a brass clasp."""
    low, high, tall = between(rng, 0.8, 0.95), between(rng, 0.55, 0.7), between(rng, 0.85, 1.0)
    heights = np.linspace(0, tall, 10, dtype=np.float32)
    spine = np.stack([0 * heights, heights, 0 * heights], 1)
    radii = np.stack([np.linspace(low, high, 10), np.linspace(0.34, 0.13, 10)], 1).astype(np.float32)
    body = tube(spine, radii, segments=56, power=4.5)
    rise = between(rng, 0.5, 0.75)
    handles = [
        tube(_arch(high * 0.55, rise), 0.045, segments=10).turned("x", side * 6).moved(y=tall - 0.05, z=side * 0.1)
        for side in (-1, 1)
    ]
    rings = [
        ellipsoid(0.07, 0.07, 0.04, segments=14).moved(x=sx * high * 0.55, y=tall - 0.04, z=sz * 0.13)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    clasp = rounded_box(0.17, 0.12, 0.06, bevel=0.025, steps=3).moved(y=tall * 0.84, z=0.19)
    grip = bare(LEATHER) if rng.random() < 0.5 else Surface("dark wood", gloss=0.3)
    return [Part(body, LEATHER), Part(merge(handles), grip), Part(merge([*rings, clasp]), BRASS)]


def suitcase(rng: Rng) -> list[Part]:
    """An upright hard-shell case with ribs, a pulled-out handle and wheels."""
    width, height, depth = between(rng, 0.95, 1.1), between(rng, 1.35, 1.55), between(rng, 0.45, 0.55)
    body = rounded_box(width, height, depth, bevel=0.13, steps=14).moved(y=height / 2 + 0.1)
    ribs = [
        rounded_box(0.05, height * 0.82, depth + 0.04, bevel=0.02, steps=4).moved(x=x * width, y=height / 2 + 0.1)
        for x in (-0.36, -0.24, 0.24, 0.36)
    ]
    rise = between(rng, 0.35, 0.55)
    bars = [
        tube(np.array([(s * 0.2, height, -0.1), (s * 0.2, height + rise, -0.1)], np.float32), 0.028, segments=8)
        for s in (-1, 1)
    ]
    grip = rounded_box(0.5, 0.08, 0.09, bevel=0.035, steps=3).moved(y=height + rise + 0.02, z=-0.1)
    top_loop = tube(_arch(0.15, 0.09), 0.035, segments=8).moved(y=height + 0.09, z=0.08)
    wheels = [
        ellipsoid(0.05, 0.09, 0.09, segments=18).moved(x=sx * width * 0.38, y=0.09, z=sz * depth * 0.32)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    return [
        Part(body, SHELL),
        Part(merge(ribs), bare(SHELL)),
        Part(merge(bars), STEEL),
        Part(merge([grip, top_loop, *wheels]), RUBBER),
    ]


def hat(rng: Rng) -> list[Part]:
    """A hat with a wide round brim, a dented crown and a dark ribbon."""
    brim, crown, tall = between(rng, 0.95, 1.1), between(rng, 0.5, 0.56), between(rng, 0.5, 0.65)
    lift = between(rng, 0.02, 0.16)
    line = rounded_line(
        [
            (brim, lift),
            (brim * 0.75, 0.02),
            (crown, 0.03),
            (crown * 0.86, tall),
            (crown * 0.45, tall - 0.03),
            (0, tall - 0.1),
        ],
        0.13,
    )
    band = rounded_line([(crown + 0.02, 0.04), (crown * 0.97 + 0.015, 0.2)], 0.01)
    ribbon = Surface("rubber" if rng.random() < 0.6 else "ivory", gloss=0.15)
    return [
        Part(turned_body(line, segments=72, closed=False), CLOTH),
        Part(turned_body(band, closed=False), ribbon),
    ]


def cap(rng: Rng) -> list[Part]:
    """A baseball cap: a dome, a curved peak to the front, a button on top."""
    radius, tall = 0.72, between(rng, 0.62, 0.72)
    bend = np.linspace(0, np.pi / 2, 18)
    dome_line = np.stack([radius * np.cos(bend) ** 0.75, tall * np.sin(bend)], 1).astype(np.float32)
    dome = turned_body(dome_line, closed=False)
    reach = between(rng, 0.62, 0.78)
    across = np.linspace(-1, 1, 25)[None, :]
    out = np.linspace(0, 1, 10)[:, None]
    angle = across * np.deg2rad(66)
    edge = np.cos(across * np.pi / 2) ** 0.5 * reach
    x = (radius + out * edge * 0.55) * np.sin(angle)
    z = radius * np.cos(angle) + out * edge
    y = 0.03 - 0.16 * across**2 * out - 0.14 * out**1.5
    points = np.stack([x, y, z], -1).astype(np.float32)
    peak = from_grid(points, points[..., [0, 2]] / TILE_UNITS, closed=False)
    button = ellipsoid(0.06, 0.04, 0.06, segments=14).moved(y=tall)
    peak_surface = bare(CLOTH) if rng.random() < 0.6 else Surface("accent", gloss=0.05)
    return [Part(dome, CLOTH), Part(merge([peak, peak.moved(y=-0.035)]), peak_surface), Part(button, bare(CLOTH))]


def t_shirt(rng: Rng) -> list[Part]:
    """A short-sleeved shirt laid flat, seen from the front, with a round collar."""
    sleeve, hem, long = between(rng, 0.82, 0.95), between(rng, 0.44, 0.52), between(rng, 0.75, 0.95)
    outline = mirrored(
        [(0.12, 0.56), (0.2, 0.66), (0.46, 0.58), (sleeve, 0.3), (sleeve - 0.16, 0.06), (0.45, 0.17), (hem, -long)]
    )
    cloth = puffed_outline(outline, 0.13, fullness=2.2, centre=(0, 0.34))
    angle = np.linspace(np.pi, 2 * np.pi, 20)
    collar = np.stack([0.2 * np.cos(angle), 0.66 + 0.13 * np.sin(angle), np.full(20, 0.055)], 1).astype(np.float32)
    trim = bare(CLOTH) if rng.random() < 0.5 else Surface("accent", gloss=0.03)
    return [Part(_creased(cloth, rng), CLOTH), Part(tube(collar, 0.028, segments=8), trim)]


def dress(rng: Rng) -> list[Part]:
    """A sleeveless dress: shoulder straps, a waist with a belt, a wide skirt."""
    hem, long, waist = between(rng, 0.58, 0.75), between(rng, 0.9, 1.1), between(rng, 0.22, 0.27)
    outline = mirrored(
        [(0.1, 0.55), (0.2, 0.8), (0.3, 0.8), (0.28, 0.5), (0.32, 0.42), (waist, 0.08), (hem, -long)], 0.08
    )
    cloth = puffed_outline(outline, 0.17, fullness=2.4, centre=(0, 0.1))
    belt = rounded_box(2 * waist + 0.02, 0.085, 0.3, bevel=0.04, steps=6).moved(y=0.08)
    trim = Surface("rubber", gloss=0.2) if rng.random() < 0.5 else Surface("accent", gloss=0.1)
    return [Part(_creased(cloth, rng, folds=9), CLOTH), Part(belt, trim)]


def _creased(mesh: Mesh, rng: Rng, folds: float = 4.0) -> Mesh:
    """The same cloth with shallow folds running down it: normals are tilted, points stay where they are."""
    phase, slant = between(rng, 0, 6), between(rng, -0.6, 0.6)
    wave = np.sin(mesh.points[:, 0] * folds * 2 + mesh.points[:, 1] * slant * 2 + phase)
    tilt = np.clip(-mesh.points[:, 1] + 0.4, 0.1, 1) * 0.35
    normals = mesh.normals + np.stack([wave * tilt, 0 * wave, 0 * wave], 1).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(mesh.points, normals.astype(np.float32), mesh.uv, mesh.faces, mesh.closed)


def trousers(rng: Rng) -> list[Part]:
    """Long trousers: two legs, a waistband, a button."""
    spread, ankle = between(rng, 0.24, 0.34), between(rng, 0.13, 0.19)
    legs = []
    for side in (-1, 1):
        spine = smooth_line([(side * 0.19, 0.75, 0), (side * 0.23, 0.2, 0), (side * spread, -1.0, 0)], 16)
        radii = np.linspace([0.235, 0.16], [ankle, 0.11], 16).astype(np.float32)
        legs.append(tube(spine, radii, segments=28, power=2.4))
    heights = np.array([0.42, 0.5, 0.6, 0.75, 0.9, 1.05], np.float32)
    hip_spine = np.stack([0 * heights, heights, 0 * heights], 1)
    hip_width = np.array([0.1, 0.3, 0.43, 0.43, 0.39, 0.345])
    hip_depth = np.array([0.08, 0.12, 0.15, 0.165, 0.16, 0.15])
    hips = tube(hip_spine, np.stack([hip_width, hip_depth], 1).astype(np.float32), segments=40, power=2.4)
    band = rounded_box(0.7, 0.1, 0.31, bevel=0.04, steps=6).moved(y=1.03)
    button = ellipsoid(0.035, 0.035, 0.02, segments=12).moved(y=1.03, z=0.16)
    cloth = [Part(_creased(leg, rng, folds=7), CLOTH) for leg in legs]
    return [*cloth, Part(_creased(hips, rng), CLOTH), Part(band, bare(CLOTH)), Part(button, BRASS)]


def boot(rng: Rng) -> list[Part]:
    """A boot seen from the side, toe to the left: shaft, foot, sole with a heel."""
    tall = between(rng, 1.2, 1.65)
    shaft = tube(
        smooth_line([(0.3, 0.2, 0), (0.28, 0.6, 0), (0.26, tall, 0)], 16),
        np.linspace([0.3, 0.24], [0.33, 0.28], 16).astype(np.float32),
        segments=36,
    )
    foot_sections = smooth_line(
        [
            (0.6, 0.4, 0.2),
            (0.4, 0.55, 0.26),
            (0.05, 0.58, 0.27),
            (-0.2, 0.44, 0.28),
            (-0.55, 0.36, 0.27),
            (-0.78, 0.22, 0.12),
        ],
        28,
    )
    x, top, wide = foot_sections.T
    foot = sliced_body(np.stack([x, 0 * x + 0.08, top, wide], 1).astype(np.float32), power=2.3)
    sole = _sole(0.7, 0.29, 0.05).moved(x=-0.08, y=0.11)
    heel = rounded_box(0.42, 0.16, 0.46, bevel=0.04, steps=3).moved(x=0.4, y=0.06)
    rim = tube(
        smooth_line([(0.26, tall - 0.06, 0), (0.26, tall + 0.02, 0)], 4), np.full((4, 2), [0.35, 0.3], np.float32)
    )
    dark = Surface("rubber", gloss=0.2)
    return [Part(shaft, LEATHER), Part(foot, bare(LEATHER)), Part(merge([sole, heel]), dark), Part(rim, bare(LEATHER))]


def sneaker(rng: Rng) -> list[Part]:
    """A low sports shoe seen from the side, toe to the left: thick pale sole, open collar, laces."""
    collar, thick = between(rng, 0.62, 0.74), between(rng, 0.1, 0.15)
    base = thick * 0.7
    # From heel to toe: place along the shoe, height of the top above the sole, half width.
    heel_to_toe = smooth_line(
        [
            (0.93, collar * 0.7, 0.14),
            (0.88, collar, 0.2),
            (0.6, collar * 0.94, 0.25),
            (0.28, collar, 0.26),
            (0.1, collar * 0.9, 0.27),
            (-0.28, 0.44, 0.31),
            (-0.62, 0.31, 0.33),
            (-0.86, 0.25, 0.27),
            (-0.97, 0.14, 0.12),
        ],
        36,
    )
    x, top, wide = heel_to_toe.T
    upper = sliced_body(np.stack([x, 0 * x + base, base + top, wide], 1).astype(np.float32))
    sole = _sole(0.97, 0.34, thick).moved(x=-0.02, y=thick)
    rim = ellipsoid(0.3, 0.07, 0.18, segments=28).turned("z", -3).moved(x=0.55, y=base + collar * 0.95)
    opening = ellipsoid(0.25, 0.05, 0.13, segments=28).turned("z", -3).moved(x=0.55, y=base + collar * 0.95 + 0.035)
    tongue = rounded_box(0.26, 0.06, 0.22, bevel=0.028, steps=4).turned("z", 30).moved(x=0.2, y=base + collar + 0.02)
    laces = []
    for at in (0.02, -0.11, -0.24, -0.37):
        crown = float(np.interp(-at, -x, top)) + base
        bend = np.linspace(-1, 1, 9)
        line = np.stack([at + 0 * bend, crown + 0.012 - 0.07 * bend**2, 0.17 * bend], 1)
        laces.append(tube(line.astype(np.float32), 0.03, segments=8))
    toe = ellipsoid(0.2, 0.12, 0.29, segments=24).moved(x=-0.77, y=thick + 0.07)
    pale = Surface("sole", gloss=0.15)
    return [
        Part(upper, CLOTH),
        Part(sole, pale),
        Part(merge(laces), pale),
        Part(merge([rim, tongue]), bare(CLOTH)),
        Part(opening, Surface("inside")),
        Part(toe, pale if rng.random() < 0.5 else bare(CLOTH)),
    ]


def _sole(half_length: float, half_width: float, thickness: float) -> Mesh:
    """A flat sole lying in the x-z plane, toe at negative x."""
    angle = np.linspace(0, 2 * np.pi, 49)[:-1]
    x = half_length * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.75
    z = half_width * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.75 * (1 - 0.12 * np.cos(angle))
    return puffed_outline(np.stack([x, z], 1).astype(np.float32), thickness, fullness=9).turned("x", 90)
