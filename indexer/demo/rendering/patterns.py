"""Surface patterns as functions of texture coordinates."""

from __future__ import annotations

import numpy as np

from indexer.demo.rendering.mesh import AnyFloats, Floats

PATTERNS = ("plain", "striped", "dotted", "checked", "zigzag", "floral")


def accent_share(pattern: str, u: Floats, v: Floats) -> Floats:
    """How much of the accent colour is seen at (u, v), float32 in 0-1; one pattern repeat is one unit.

    Every pattern repeats with whole units in ``u``, so that it closes around a body that is a whole number of
    repeats round.
    """
    drawn = {
        "plain": _plain,
        "striped": _striped,
        "dotted": _dotted,
        "checked": _checked,
        "zigzag": _zigzag,
        "floral": _floral,
    }[pattern]
    return np.asarray(drawn(u, v), dtype=np.float32)


def _fraction(value: AnyFloats) -> Floats:
    return np.asarray(value - np.floor(value), dtype=np.float32)


def _plain(u: Floats, v: Floats) -> Floats:
    del v
    return np.zeros_like(u)


def _striped(u: Floats, v: Floats) -> Floats:
    del u
    return (_fraction(v) < 0.36).astype(np.float32)


def _staggered(u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Coordinates -0.5..0.5 within a cell, odd rows shifted by half a cell."""
    shift = np.mod(np.floor(v), 2) * 0.5
    return _fraction(u + shift) - 0.5, _fraction(v) - 0.5


def _dotted(u: Floats, v: Floats) -> Floats:
    x, y = _staggered(u, v)
    return (x * x + y * y < 0.29**2).astype(np.float32)


def _checked(u: Floats, v: Floats) -> Floats:
    # Gingham: bands in both directions, full accent where they cross.
    across, along = _fraction(u) < 0.38, _fraction(v) < 0.38
    return np.where(across & along, 1.0, np.where(across | along, 0.5, 0.0)).astype(np.float32)


def _zigzag(u: Floats, v: Floats) -> Floats:
    wave = np.abs(_fraction(u) - 0.5)
    return (_fraction(v + wave) < 0.38).astype(np.float32)


def _floral(u: Floats, v: Floats) -> Floats:
    x, y = _staggered(u, v)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = radius < 0.27 + 0.17 * np.cos(5 * angle)
    return np.asarray(petals & (radius > 0.1), dtype=np.float32)
