"""Parts: a mesh and what its surface is painted with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.demo.rendering.mesh import Mesh

Rng = np.random.Generator


@dataclass(frozen=True)
class Surface:
    """How a part is painted.

    Attributes:
        paint: ``main`` (the product's colour), ``accent`` (its second colour), or a name of ``colours.FITTINGS``.
        patterned: the product's pattern is drawn on it; only for ``main``.
        gloss: 0 (cloth) to 1 (glazed), strength of highlight and reflection.
        metal: reflections take the part's own colour.
        glow: light given off, 0 to 1 (a flame, a lit lampshade).
    """

    paint: str = "main"
    patterned: bool = False
    gloss: float = 0.2
    metal: bool = False
    glow: float = 0.0


@dataclass(frozen=True)
class Part:
    """One mesh with one surface."""

    mesh: Mesh
    surface: Surface


Shape = Callable[[Rng], list[Part]]
"""Builds the parts of one type of product; all freedom of form comes from the generator."""

CLOTH = Surface(patterned=True, gloss=0.03)
CERAMIC = Surface(patterned=True, gloss=0.75)
PLASTIC = Surface(patterned=True, gloss=0.4)
LACQUER = Surface(patterned=True, gloss=0.3)
STEEL = Surface("steel", gloss=0.8, metal=True)
DARK_METAL = Surface("dark metal", gloss=0.5, metal=True)
BRASS = Surface("brass", gloss=0.8, metal=True)
RUBBER = Surface("rubber", gloss=0.15)


def bare(surface: Surface) -> Surface:
    """The same surface in the product's colour without its pattern."""
    return Surface(surface.paint, patterned=False, gloss=surface.gloss, metal=surface.metal, glow=surface.glow)


def wood(rng: Rng) -> Surface:
    """Light or dark wood."""
    return Surface("light wood" if rng.random() < 0.6 else "dark wood", gloss=0.15)


def between(rng: Rng, low: float, high: float) -> float:
    """A uniform random number as a plain float."""
    return float(rng.uniform(low, high))
