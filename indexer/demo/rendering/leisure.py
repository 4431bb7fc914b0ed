"""Shapes of an umbrella, a ball, a guitar, headphones and a toy car."""

from __future__ import annotations

import numpy as np

from indexer.demo.rendering.mesh import TILE_UNITS, from_grid, merge
from indexer.demo.rendering.parts import DARK_METAL, LACQUER, PLASTIC, RUBBER, STEEL, Part, Rng, Surface, between, wood
from indexer.demo.rendering.solids import (
    disc,
    ellipsoid,
    puffed_outline,
    rounded_box,
    rounded_line,
    smooth_line,
    tube,
    turned_body,
)


def umbrella(rng: Rng) -> list[Part]:
    """An open umbrella: eight scalloped panels, a shaft and a hooked handle."""
    tall = between(rng, 0.5, 0.65)
    share = np.linspace(0.0, 1, 16)[:, None]
    angle = np.linspace(0, 2 * np.pi, 8 * 9 + 1)[None, :]
    scallop = np.abs(np.sin(angle * 4)) * share**2
    radius = share * (1 - 0.07 * scallop)
    points = np.stack(
        [radius * np.sin(angle), 1.5 - tall * share**2 + 0.05 * scallop, radius * np.cos(angle)], -1
    ).astype(np.float32)
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi) * 16, share / TILE_UNITS), -1).astype(np.float32)
    canopy = from_grid(points, uv, wraps=True, closed=False)
    shaft = tube(np.array([(0, 0.12, 0), (0, 1.64, 0)], np.float32), 0.025, segments=10)
    hook = smooth_line([(0, 0.3, 0), (0, 0.1, 0), (0.05, 0, 0), (0.14, -0.03, 0), (0.22, 0.02, 0), (0.24, 0.1, 0)], 24)
    grip = wood(rng) if rng.random() < 0.6 else RUBBER
    parts = [
        Part(canopy, Surface(patterned=True, gloss=0.12)),
        Part(shaft, STEEL),
        Part(tube(hook, 0.045, segments=12), grip),
    ]
    lean = between(rng, 12, 30)
    return [Part(part.mesh.turned("x", -lean * 0.4).turned("z", lean), part.surface) for part in parts]


def ball(rng: Rng) -> list[Part]:
    """A ball with dark seams along great circles."""
    body = ellipsoid(1, 1, 1, segments=64)
    angle = np.linspace(0, 2 * np.pi, 73)
    circle = np.stack([1.002 * np.cos(angle), 1.002 * np.sin(angle), 0 * angle], 1).astype(np.float32)
    seam = tube(circle, 0.016, segments=6, caps=False)
    seams = merge([seam, seam.turned("y", 90), seam.turned("x", 90)])
    tilt, turn = between(rng, 15, 40), between(rng, 10, 80)
    return [
        Part(body.turned("y", turn).turned("z", tilt), PLASTIC),
        Part(seams.turned("y", turn).turned("z", tilt), RUBBER),
    ]


def guitar(rng: Rng) -> list[Part]:
    """A guitar standing upright: waisted body, sound hole, neck, head, strings."""
    lower, upper, waist = between(rng, 0.5, 0.58), between(rng, 0.36, 0.43), between(rng, 0.27, 0.32)
    half = smooth_line(
        [
            (0.0, -0.72),
            (lower * 0.7, -0.62),
            (lower, -0.3),
            (waist, 0.12),
            (upper, 0.4),
            (upper * 0.6, 0.62),
            (0.0, 0.66),
        ],
        40,
    )
    outline = np.concatenate([half, (half * np.array([-1, 1], np.float32))[-2:0:-1]])
    body = puffed_outline(outline, 0.13, fullness=12, centre=(0, 0.0))
    hole = disc(0.15).moved(y=0.2, z=0.135)
    rosette = disc(0.185).moved(y=0.2, z=0.131)
    long = between(rng, 0.95, 1.1)
    neck = rounded_box(0.13, long + 0.35, 0.07, bevel=0.02, steps=4).moved(y=0.3 + (long + 0.35) / 2, z=0.14)
    head = rounded_box(0.2, 0.32, 0.06, bevel=0.02, steps=4).turned("x", -8).moved(y=0.3 + long + 0.5, z=0.13)
    bridge = rounded_box(0.34, 0.07, 0.05, bevel=0.02, steps=3).moved(y=-0.3, z=0.145)
    pegs = [
        ellipsoid(0.035, 0.025, 0.03, segments=10).moved(x=s * 0.13, y=0.3 + long + h, z=0.13)
        for s in (-1, 1)
        for h in (0.4, 0.5, 0.6)
    ]
    strings = [
        tube(np.array([(x, -0.3, 0.185), (x * 0.8, 0.3 + long + 0.4, 0.185)], np.float32), 0.005, segments=4)
        for x in np.linspace(-0.05, 0.05, 4)
    ]
    timber = Surface("dark wood", gloss=0.3)
    return [
        Part(body, Surface(patterned=True, gloss=0.6)),
        Part(rosette, Surface("ivory", gloss=0.2)),
        Part(hole, Surface("rubber", gloss=0.0)),
        Part(merge([neck, head, bridge]), timber),
        Part(merge(pegs + strings), STEEL),
    ]


def headphones(rng: Rng) -> list[Part]:
    """Over-ear headphones: a headband and two padded cups."""
    wide, tall = between(rng, 0.68, 0.78), between(rng, 0.85, 1.0)
    angle = np.linspace(np.pi * 1.03, -np.pi * 0.03, 36)
    arc = np.stack([wide * np.cos(angle), tall * np.sin(angle), 0 * angle], 1).astype(np.float32)
    band = tube(arc, np.full((36, 2), [0.05, 0.13], np.float32), segments=16, power=3)
    pad = tube(
        arc[8:28] * np.array([0.93, 0.93, 1], np.float32), np.full((20, 2), [0.04, 0.1], np.float32), segments=12
    )
    radius = between(rng, 0.34, 0.42)
    cup_line = rounded_line([(0, 0), (radius, 0), (radius, 0.14), (radius * 0.6, 0.22), (0, 0.22)], 0.06)
    ear_line = rounded_line([(0, 0), (radius * 0.95, 0), (radius * 0.95, 0.16), (0, 0.16)], 0.07)
    cups, ears, caps = [], [], []
    for side in (-1, 1):
        where = {"x": side * (wide - 0.02), "y": -0.12}
        cups.append(turned_body(cup_line, segments=40).turned("z", -90 * side).moved(**where))
        ears.append(turned_body(ear_line, segments=40).turned("z", 90 * side).moved(**where))
        badge = ellipsoid(0.02, radius * 0.4, radius * 0.4, segments=20).moved(x=side * (wide + 0.2), y=-0.12)
        caps.append(badge)
    shell = Surface(gloss=0.5)
    return [
        Part(band, shell),
        Part(pad, RUBBER),
        Part(merge(cups), shell),
        Part(merge(ears), RUBBER),
        Part(merge(caps), STEEL),
    ]


def toy_car(rng: Rng) -> list[Part]:
    """A toy car: long low body, cabin with windows, four wheels, lights."""
    long, wide = between(rng, 1.8, 2.1), between(rng, 0.82, 0.95)
    body = rounded_box(long, 0.44, wide, bevel=0.15, steps=12).moved(y=0.44)
    cabin_long, shift = long * between(rng, 0.45, 0.55), between(rng, 0.0, 0.18)
    cabin = rounded_box(cabin_long, 0.46, wide * 0.86, bevel=0.16, steps=8).moved(x=shift, y=0.8)
    windows = [
        rounded_box(cabin_long * 0.38, 0.24, wide * 0.88, bevel=0.05, steps=4).moved(
            x=shift + s * cabin_long * 0.21, y=0.81
        )
        for s in (-1, 1)
    ]
    windows.append(rounded_box(cabin_long + 0.02, 0.22, wide * 0.62, bevel=0.05, steps=4).moved(x=shift, y=0.82))
    wheels, hubs = [], []
    line = rounded_line([(0, 0), (0.25, 0), (0.25, 0.16), (0, 0.16)], 0.04)
    hub_line = rounded_line([(0, 0), (0.13, 0), (0.11, 0.03), (0, 0.03)], 0.01)
    for x in (-long * 0.29, long * 0.29):
        for side in (-1, 1):
            place = {"x": x, "y": 0.25, "z": side * (wide / 2 - 0.1)}
            wheels.append(turned_body(line, segments=32).turned("x", 90 * side).moved(**place))
            hub_place = {"x": x, "y": 0.25, "z": side * (wide / 2 + 0.055)}
            hubs.append(turned_body(hub_line, segments=24).turned("x", 90 * side).moved(**hub_place))
    lights = [
        ellipsoid(0.04, 0.08, 0.1, segments=16).moved(x=-long / 2 + 0.01, y=0.48, z=s * wide * 0.3) for s in (-1, 1)
    ]
    bumpers = [rounded_box(0.1, 0.1, wide * 0.9, bevel=0.04, steps=3).moved(x=s * long / 2, y=0.29) for s in (-1, 1)]
    return [
        Part(merge([body, cabin]), LACQUER),
        Part(merge(windows), Surface("glass", gloss=0.9)),
        Part(merge(wheels), RUBBER),
        Part(merge(hubs), STEEL),
        Part(merge(lights), Surface("ivory", gloss=0.7)),
        Part(merge(bumpers), DARK_METAL),
    ]
