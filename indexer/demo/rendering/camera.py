"""Where the camera stands and how points become pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.demo.rendering.mesh import Floats, onto_axes, rotation

DISTANCE = 6.5
"""From the camera to the middle of the product, in radii of the product: a portrait lens, little distortion."""


@dataclass(frozen=True)
class View:
    """A camera position and framing.

    Attributes:
        azimuth_deg: 0 is straight from the front, positive to the product's right.
        elevation_deg: height above the horizon.
        fill: the longer side of the product's outline as a share of the picture's side.
        shift_x, shift_y: how far the product is off the middle, as shares of the picture's side.
        roll_deg: tilt of the camera.
    """

    azimuth_deg: float
    elevation_deg: float
    fill: float = 0.78
    shift_x: float = 0.0
    shift_y: float = 0.0
    roll_deg: float = 0.0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera looking at the origin.

    Attributes:
        turn: float32 (3, 3), world to camera axes (x right, y up, z towards the camera).
        focal_px: focal length in pixels.
        centre_px: (x, y) of the optical axis in the picture, pixels.
    """

    turn: Floats
    focal_px: float
    centre_px: tuple[float, float]

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels float32 (V, 2) and nearness float32 (V,) of world points float32 (V, 3)."""
        seen = onto_axes(points, self.turn)
        nearness = (1.0 / (DISTANCE - seen[:, 2])).astype(np.float32)
        x = self.centre_px[0] + seen[:, 0] * nearness * self.focal_px
        y = self.centre_px[1] - seen[:, 1] * nearness * self.focal_px
        return np.stack([x, y], axis=1).astype(np.float32), nearness

    @property
    def position(self) -> Floats:
        """The camera's place in the world, float32 (3,)."""
        return np.asarray(self.turn.T @ np.array([0, 0, DISTANCE], dtype=np.float32), dtype=np.float32)


def aim(view: View, points: Floats, size_px: int) -> Camera:
    """The camera that frames ``points`` (float32 (V, 3), centred at the origin) as the view asks."""
    turn = (rotation("z", view.roll_deg) @ rotation("x", view.elevation_deg) @ rotation("y", -view.azimuth_deg)).astype(
        np.float32
    )
    unit_camera = Camera(turn, 1.0, (0.0, 0.0))
    flat, _ = unit_camera.project(points)
    low, high = flat.min(axis=0), flat.max(axis=0)
    focal = view.fill * size_px / max(float((high - low).max()), 1e-6)
    middle = (low + high) / 2 * focal
    return Camera(
        turn,
        focal,
        (
            size_px * (0.5 + view.shift_x) - float(middle[0]),
            size_px * (0.5 + view.shift_y) - float(middle[1]),
        ),
    )
