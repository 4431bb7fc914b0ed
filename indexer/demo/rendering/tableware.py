"""Shapes of things for the kitchen and the table."""

from __future__ import annotations

import numpy as np

from indexer.demo.rendering.parts import CERAMIC, DARK_METAL, RUBBER, STEEL, Part, Rng, Surface, bare, between
from indexer.demo.rendering.solids import ellipsoid, rounded_line, smooth_line, tube, turned_body


def mug(rng: Rng) -> list[Part]:
    """A cylinder or slightly flared cup with a round handle on its right."""
    radius, height = between(rng, 0.5, 0.62), between(rng, 1.0, 1.3)
    foot = radius * between(rng, 0.8, 1.0)
    wall = 0.05
    profile = rounded_line(
        [(0, 0), (foot, 0), (radius, height), (radius - wall, height), (foot - wall, wall), (0, wall)], 0.06
    )
    reach, grip = between(rng, 0.34, 0.46), between(rng, 0.24, 0.34) * height
    middle, edge = height * between(rng, 0.48, 0.56), (foot + radius) / 2 - 0.05
    angle = np.linspace(np.pi / 2, -np.pi / 2, 20)
    spine = np.stack([edge + reach * np.cos(angle) ** 0.8, middle + grip * np.sin(angle), 0 * angle], 1)
    handle = tube(spine.astype(np.float32), np.full((20, 2), [0.08, 0.055], np.float32))
    return [Part(turned_body(profile), CERAMIC), Part(handle, bare(CERAMIC))]


def teapot(rng: Rng) -> list[Part]:
    """A round body with lid and knob, spout on the left, handle on the right."""
    radius, height = between(rng, 0.6, 0.75), between(rng, 0.75, 1.0)
    profile = smooth_line(
        [(0, 0), (radius * 0.6, 0.01), (radius * 0.98, height * 0.38), (radius * 0.85, height * 0.72), (0.3, height)],
        24,
    )
    lid = smooth_line([(0.33, height - 0.01), (0.3, height + 0.06), (0.12, height + 0.13), (0, height + 0.15)], 14)
    knob = ellipsoid(0.09, 0.09, 0.09, segments=20).moved(y=height + 0.2)
    spout_line = smooth_line(
        [
            (-radius * 0.75, height * 0.3, 0),
            (-radius * 1.15, height * 0.45, 0),
            (-radius * 1.35, height * 0.8, 0),
            (-radius * 1.6, height * 0.98, 0),
        ],
        18,
    )
    spout = tube(spout_line, np.linspace([0.17, 0.17], [0.07, 0.07], 18).astype(np.float32))
    angle = np.linspace(np.pi * 0.55, -np.pi * 0.55, 20)
    reach = between(rng, 0.38, 0.5)
    spine = np.stack(
        [radius * 0.78 + reach * np.cos(angle), height * 0.5 + height * 0.33 * np.sin(angle), 0 * angle], 1
    )
    handle = tube(spine.astype(np.float32), 0.065)
    plain = bare(CERAMIC)
    return [
        Part(turned_body(profile), CERAMIC),
        Part(turned_body(lid, closed=False), plain),
        Part(knob, plain),
        Part(spout, plain),
        Part(handle, plain),
    ]


def bottle(rng: Rng) -> list[Part]:
    """A tall body with a shoulder, a narrow neck and a cap."""
    radius, height = between(rng, 0.34, 0.42), between(rng, 1.25, 1.5)
    neck, shoulder = radius * between(rng, 0.34, 0.45), height + between(rng, 0.2, 0.4)
    top = shoulder + between(rng, 0.15, 0.35)
    profile = rounded_line(
        [(0, 0), (radius, 0), (radius, height), (neck, shoulder), (neck, top), (0, top)], between(rng, 0.08, 0.2)
    )
    cap_radius, cap_height = neck + 0.03, between(rng, 0.12, 0.2)
    cap = rounded_line([(0, 0), (cap_radius, 0), (cap_radius, cap_height), (0, cap_height)], 0.03)
    cap_surface = [STEEL, DARK_METAL, Surface("light wood", gloss=0.1)][int(rng.integers(3))]
    body = Surface(patterned=True, gloss=0.6)
    return [Part(turned_body(profile), body), Part(turned_body(cap).moved(y=top - 0.03), cap_surface)]


def bowl(rng: Rng) -> list[Part]:
    """A deep open dish on a small foot."""
    radius, height = 1.0, between(rng, 0.55, 0.75)
    foot, wall = between(rng, 0.32, 0.42), 0.05
    outer = smooth_line(
        [(foot, 0.08), (radius * 0.72, height * 0.33), (radius * 0.95, height * 0.75), (radius, height)], 18
    )
    inner = (outer - np.array([wall, -wall], np.float32))[::-1]
    inner[0, 1] = height
    ends = np.array([(0, 0), (foot, 0)], np.float32)
    profile = np.concatenate([ends, outer, inner, np.array([(0, 0.08 + wall)], np.float32)])
    return [Part(turned_body(profile), CERAMIC)]


def plate(rng: Rng) -> list[Part]:
    """A flat dish with a raised rim."""
    well, rim = between(rng, 0.56, 0.68), between(rng, 0.13, 0.2)
    profile = rounded_line(
        [
            (0, 0),
            (well, 0),
            (well + 0.07, rim * 0.75),
            (1.0, rim),
            (1.0, rim + 0.04),
            (well + 0.03, rim * 0.75 + 0.04),
            (well - 0.03, 0.045),
            (0, 0.045),
        ],
        0.05,
    )
    return [Part(turned_body(profile, segments=72, seen_from_above=True), CERAMIC)]


def pan(rng: Rng) -> list[Part]:
    """A frying pan: coloured outside, dark inside, a long handle to the right front."""
    radius, height = 0.8, between(rng, 0.2, 0.28)
    flare = between(rng, 0.84, 0.92)
    shell = rounded_line([(0, 0), (radius * flare, 0), (radius, height), (radius - 0.04, height)], 0.08)
    lining = rounded_line([(radius - 0.035, height - 0.005), (radius * flare - 0.05, 0.045), (0, 0.045)], 0.06)
    length = between(rng, 0.85, 1.05)
    spine = smooth_line(
        [(radius - 0.03, height - 0.06, 0), (radius + 0.3, height + 0.05, 0), (radius + length, height + 0.1, 0)], 14
    )
    handle = tube(spine, np.full((14, 2), [0.085, 0.05], np.float32), power=3)
    grip = bare(Surface(gloss=0.3)) if rng.random() < 0.5 else RUBBER
    return [
        Part(turned_body(shell, closed=False), Surface(gloss=0.6)),
        Part(turned_body(lining, closed=False), Surface("dark metal", gloss=0.25)),
        Part(handle.turned("y", -25), grip),
    ]


def bucket(rng: Rng) -> list[Part]:
    """A tapered pail with a rolled rim and a wire handle standing up."""
    top, bottom, height = between(rng, 0.62, 0.7), between(rng, 0.42, 0.5), between(rng, 0.95, 1.1)
    wall = 0.035
    profile = rounded_line(
        [(0, 0), (bottom, 0), (top, height), (top - wall, height), (bottom - wall, wall), (0, wall)], 0.03
    )
    turn = np.linspace(0, 2 * np.pi, 49)
    rim_line = np.stack([top * np.cos(turn), np.full(49, height), top * np.sin(turn)], 1).astype(np.float32)
    angle = np.linspace(0, np.pi, 30)
    wire = np.stack([top * np.cos(angle), height - 0.04 + top * 0.95 * np.sin(angle), 0 * angle], 1).astype(np.float32)
    grip = wire[11:19] + np.array([0, 0.005, 0], np.float32)
    return [
        Part(turned_body(profile), Surface(patterned=True, gloss=0.45)),
        Part(tube(rim_line, 0.04, segments=10, caps=False), bare(Surface(gloss=0.45))),
        Part(tube(wire, 0.022, segments=8), STEEL),
        Part(tube(grip, 0.05, segments=10), Surface("light wood", gloss=0.1)),
    ]
