"""Shapes of things that stand about a home, and its furniture."""

from __future__ import annotations

import numpy as np

from indexer.demo.rendering.mesh import TILE_UNITS, Floats, Mesh, from_grid, merge
from indexer.demo.rendering.parts import (
    BRASS,
    CERAMIC,
    CLOTH,
    DARK_METAL,
    LACQUER,
    STEEL,
    Part,
    Rng,
    Surface,
    bare,
    between,
    wood,
)
from indexer.demo.rendering.solids import disc, ellipsoid, rounded_box, rounded_line, smooth_line, tube, turned_body


def vase(rng: Rng) -> list[Part]:
    """A tall vessel with a belly, a narrow neck and a flared lip."""
    belly, neck, lip = between(rng, 0.42, 0.58), between(rng, 0.15, 0.24), between(rng, 0.24, 0.36)
    height, low = between(rng, 1.6, 1.9), between(rng, 0.3, 0.45)
    outer = smooth_line([(belly * 0.55, 0), (belly, height * low), (neck, height * 0.78), (lip, height)], 30)
    inner = (outer[:17:-1] - np.array([0.04, 0], np.float32)).astype(np.float32)
    profile = np.concatenate([np.array([(0, 0)], np.float32), outer, inner])
    return [Part(turned_body(profile, closed=False), CERAMIC)]


def lamp(rng: Rng) -> list[Part]:
    """A table lamp: foot, stem and a cone of a shade that glows a little."""
    height = between(rng, 0.75, 0.95)
    foot = rounded_line([(0, 0), (between(rng, 0.3, 0.4), 0), (0.3, 0.06), (0.05, 0.1), (0, 0.1)], 0.03)
    stem = np.array([(0, 0.05, 0), (0, height + 0.2, 0)], np.float32)
    wide, narrow, tall = between(rng, 0.6, 0.72), between(rng, 0.3, 0.45), between(rng, 0.6, 0.75)
    shade = rounded_line([(wide, height), (narrow, height + tall)], 0.01)
    metal = [BRASS, STEEL, DARK_METAL][int(rng.integers(3))]
    base = turned_body(foot)
    if rng.random() < 0.5:
        base = merge([base, ellipsoid(0.2, 0.24, 0.2, segments=28).moved(y=0.3)])
    return [
        Part(base, metal),
        Part(tube(stem, 0.04, segments=12), metal),
        Part(turned_body(shade, closed=False), Surface(patterned=True, gloss=0.02, glow=0.12)),
    ]


def candle(rng: Rng) -> list[Part]:
    """A pillar of wax with a wick and a flame, on a small metal dish."""
    radius, height = between(rng, 0.3, 0.42), between(rng, 1.1, 1.4)
    wax = rounded_line(
        [(0, 0.04), (radius, 0.04), (radius, height), (radius * 0.8, height - 0.04), (0, height - 0.06)], 0.05
    )
    dish = rounded_line(
        [(0, 0), (radius + 0.15, 0), (radius + 0.22, 0.09), (radius + 0.18, 0.09), (radius, 0.04), (0, 0.04)], 0.03
    )
    wick = np.array([(0, height - 0.08, 0), (0.01, height + 0.08, 0)], np.float32)
    drop = smooth_line([(0, 0), (0.075, 0.1), (0.05, 0.22), (0, 0.36)], 14)
    flame = turned_body(np.maximum(drop, 0).astype(np.float32), segments=20)
    return [
        Part(turned_body(wax), Surface(patterned=True, gloss=0.25)),
        Part(turned_body(dish), BRASS if rng.random() < 0.5 else DARK_METAL),
        Part(tube(wick, 0.02, segments=8), Surface("rubber")),
        Part(flame.moved(y=height + 0.02), Surface("flame", glow=1.0)),
    ]


def clock(rng: Rng) -> list[Part]:
    """A twin-bell alarm clock: coloured case, white face with marks and hands, two feet."""
    depth = between(rng, 0.16, 0.24)
    case_profile = rounded_line(
        [(0, -depth), (0.68, -depth), (0.72, depth), (0.62, depth + 0.02), (0.6, depth - 0.05)], 0.06
    )
    case = turned_body(case_profile, closed=False).turned("x", 90)
    face = disc(0.62).moved(z=depth - 0.04)
    marks = []
    for hour in range(12):
        long = 0.13 if hour % 3 == 0 else 0.07
        marks.append(
            rounded_box(0.035, long, 0.01, bevel=0.004, steps=2).moved(y=0.56 - long / 2).turned("z", 30 * hour)
        )
    minute, hour_turn = between(rng, 0, 360), between(rng, 0, 360)
    hands = [
        rounded_box(0.035, 0.5, 0.012, bevel=0.005, steps=2).moved(y=0.21).turned("z", minute),
        rounded_box(0.05, 0.34, 0.012, bevel=0.005, steps=2).moved(y=0.14, z=0.01).turned("z", hour_turn),
        ellipsoid(0.05, 0.05, 0.02, segments=14),
    ]
    ink = merge([mesh.moved(z=depth - 0.02) for mesh in marks + hands])
    bells = [
        ellipsoid(0.25, 0.17, 0.2, segments=24).turned("z", -sign * 35).moved(x=sign * 0.44, y=0.72) for sign in (-1, 1)
    ]
    feet = [
        tube(np.array([(sign * 0.35, -0.55, 0), (sign * 0.52, -0.82, 0)], np.float32), 0.05, segments=10)
        for sign in (-1, 1)
    ]
    metal = STEEL if rng.random() < 0.5 else BRASS
    body = Surface(gloss=0.6)
    return [
        Part(case, body),
        Part(face, Surface("ivory", gloss=0.1)),
        Part(ink, Surface("rubber", gloss=0.1)),
        Part(merge(bells), body if rng.random() < 0.5 else metal),
        Part(merge(feet), metal),
    ]


def cushion(rng: Rng) -> list[Part]:
    """A square pillow with pointed corners, leaning back."""
    side, fat = between(rng, 0.85, 0.95), between(rng, 0.26, 0.36)
    steps = np.linspace(-1, 1, 29, dtype=np.float32)
    x, y = np.meshgrid(steps, steps, indexing="xy")
    swell = (np.clip(1 - x**2, 0, 1) * np.clip(1 - y**2, 0, 1)) ** 0.45
    pinch = 1 - 0.09 * (1 - np.abs(x * y))
    halves = [_sheet(x * side * pinch, y * side * pinch, sign * fat * swell) for sign in (1.0, -1.0)]
    cover = merge(halves).turned("x", -between(rng, 8, 18))
    return [Part(cover, CLOTH)]


def _sheet(x: Floats, y: Floats, z: Floats) -> Mesh:
    """A height field over a square grid of points."""
    points = np.stack([x, y, z], axis=-1).astype(np.float32)
    return from_grid(points, points[..., :2] / TILE_UNITS, closed=False)


def box(rng: Rng) -> list[Part]:
    """A gift box with a lid, tied with a ribbon and a bow."""
    width, height, depth = between(rng, 1.0, 1.3), between(rng, 0.6, 0.95), between(rng, 0.9, 1.1)
    lid, band = 0.2, 0.14
    body = rounded_box(width, height, depth, bevel=0.02).moved(y=height / 2)
    cover = rounded_box(width + 0.08, lid, depth + 0.08, bevel=0.02).moved(y=height + lid / 2 - 0.04)
    top = height + lid - 0.04
    bands = [
        rounded_box(band, top + 0.01, depth + 0.11, bevel=0.01, steps=3).moved(y=top / 2 + 0.01),
        rounded_box(width + 0.11, top + 0.01, band, bevel=0.01, steps=3).moved(y=top / 2 + 0.01),
    ]
    loops = []
    for turn in (35, 145, 215, 325):
        angle = np.linspace(0, 2 * np.pi, 22)
        spine = np.stack([0.17 - 0.17 * np.cos(angle), 0.12 * np.sin(angle), 0 * angle], 1)
        loop = tube(spine.astype(np.float32), np.full((22, 2), [0.02, 0.07], np.float32), segments=8)
        loops.append(loop.turned("z", 28).turned("y", turn).moved(y=top + 0.03))
    ribbon = merge(bands + loops)
    return [Part(body, LACQUER), Part(cover, LACQUER), Part(ribbon, Surface("accent", gloss=0.35))]


def _legs(places: list[tuple[float, float]], height: float, spread: float, radius: float) -> Mesh:
    """Round tapering legs standing at (x, z) places, leaning outwards by the share ``spread``."""
    legs = []
    for x, z in places:
        spine = np.array([(x * (1 + spread), 0, z * (1 + spread)), (x, height, z)], np.float32)
        legs.append(tube(spine, np.array([[radius * 0.7] * 2, [radius] * 2], np.float32), segments=12))
    return merge(legs)


def chair(rng: Rng) -> list[Part]:
    """A dining chair: upholstered seat and back on four wooden legs."""
    width, depth, seat = between(rng, 0.8, 0.92), between(rng, 0.75, 0.85), between(rng, 0.8, 0.9)
    x, z = width / 2 - 0.07, depth / 2 - 0.07
    legs = _legs([(x, z), (-x, z), (x, -z), (-x, -z)], seat, between(rng, 0.0, 0.15), 0.055)
    cushion_part = rounded_box(width, 0.14, depth, bevel=0.06).moved(y=seat + 0.05)
    tall = between(rng, 0.65, 0.85)
    back = rounded_box(width * 0.95, tall, 0.1, bevel=0.05).turned("x", -8).moved(y=seat + 0.3 + tall / 2, z=-z - 0.1)
    posts = [
        rounded_box(0.07, 0.5, 0.06, bevel=0.02, steps=3).moved(x=s * x * 0.8, y=seat + 0.2, z=-z) for s in (-1, 1)
    ]
    timber = wood(rng)
    return [Part(legs, timber), Part(merge(posts), timber), Part(cushion_part, CLOTH), Part(back, CLOTH)]


def table(rng: Rng) -> list[Part]:
    """A table with a coloured top, round or rectangular, on wooden legs."""
    height = between(rng, 0.95, 1.1)
    timber = wood(rng)
    if rng.random() < 0.4:
        radius = between(rng, 0.85, 1.0)
        top = turned_body(
            rounded_line([(0, 0), (radius, 0), (radius, 0.09), (0, 0.09)], 0.03), segments=64, seen_from_above=True
        )
        reach = radius * 0.6
    else:
        top = rounded_box(2.0, 0.1, between(rng, 1.05, 1.3), bevel=0.03).moved(y=0.05)
        reach = 0.0
    places = [(sx * (reach or 0.85), sz * (reach or 0.45)) for sx in (-1, 1) for sz in (-1, 1)]
    legs = _legs(places, height, between(rng, 0.0, 0.12), 0.06)
    return [Part(top.moved(y=height), LACQUER), Part(legs, timber)]


def stool(rng: Rng) -> list[Part]:
    """A round padded seat on three or four splayed legs with a ring, no back."""
    height, radius = between(rng, 1.1, 1.4), between(rng, 0.42, 0.5)
    seat = turned_body(rounded_line([(0, 0), (radius, 0), (radius, 0.16), (0, 0.17)], 0.07), seen_from_above=True)
    count = int(rng.integers(3, 5))
    turns = [2 * np.pi * (i + 0.5) / count for i in range(count)]
    reach = radius * 0.7
    legs = _legs([(reach * np.sin(t), reach * np.cos(t)) for t in turns], height, 0.45, 0.055)
    angle = np.linspace(0, 2 * np.pi, 41)
    ring = np.stack([reach * 1.27 * np.cos(angle), np.full(41, height * 0.4), reach * 1.27 * np.sin(angle)], 1)
    timber = wood(rng) if rng.random() < 0.6 else DARK_METAL
    return [
        Part(seat.moved(y=height), CLOTH),
        Part(legs, timber),
        Part(tube(ring.astype(np.float32), 0.03, segments=8, caps=False), timber),
    ]


def armchair(rng: Rng) -> list[Part]:
    """A padded easy chair: seat, back, two arms, short legs."""
    width, arm = between(rng, 1.25, 1.45), between(rng, 0.2, 0.28)
    seat = rounded_box(width - 2 * arm + 0.04, 0.34, 0.95, bevel=0.1).moved(y=0.42, z=0.06)
    back = rounded_box(width - arm, between(rng, 0.85, 1.05), 0.28, bevel=0.12).turned("x", -10).moved(y=0.8, z=-0.42)
    arms = [rounded_box(arm, 0.6, 1.05, bevel=0.1).moved(x=s * (width - arm) / 2, y=0.5) for s in (-1, 1)]
    legs = _legs([(x * (width / 2 - 0.15), z * 0.4) for x in (-1, 1) for z in (-1, 1)], 0.25, 0.05, 0.05)
    body = bare(CLOTH)
    return [Part(seat, CLOTH), Part(back, CLOTH), Part(merge(arms), body), Part(legs, wood(rng))]
