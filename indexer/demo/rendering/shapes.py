"""Every type of product that can be drawn, with the shape that draws it and how it is usually photographed."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.demo.rendering import household, leisure, tableware, wearables
from indexer.demo.rendering.parts import Shape
from indexer.demo.rendering.patterns import PATTERNS

PLAIN_ONLY = ("plain",)
BOLD_ONLY = ("plain", "striped", "dotted", "checked")


@dataclass(frozen=True)
class Drawing:
    """How a type of product is drawn.

    Attributes:
        shape: builds its parts.
        azimuth_deg: camera azimuth of its usual photo, 0 is straight from the front, positive to its right.
        elevation_deg: camera height of its usual photo above the horizon.
        patterns: the patterns that its surface has room for.
        floats: it hangs against the background rather than standing on the ground.
        swing_deg: how far to either side of the usual photo it is still recognised for what it is.
    """

    shape: Shape
    azimuth_deg: float
    elevation_deg: float
    patterns: tuple[str, ...] = PATTERNS
    floats: bool = False
    swing_deg: float = 60.0


DRAWINGS: dict[str, Drawing] = {
    "mug": Drawing(tableware.mug, -20, 20, swing_deg=55),
    "teapot": Drawing(tableware.teapot, -8, 16, swing_deg=50),
    "bottle": Drawing(tableware.bottle, 0, 10, swing_deg=90),
    "bowl": Drawing(tableware.bowl, 0, 28, swing_deg=90),
    "plate": Drawing(tableware.plate, 0, 48, swing_deg=90),
    "pan": Drawing(tableware.pan, 0, 36, PLAIN_ONLY, swing_deg=50),
    "bucket": Drawing(tableware.bucket, 15, 18, swing_deg=55),
    "vase": Drawing(household.vase, 0, 12, swing_deg=90),
    "lamp": Drawing(household.lamp, 0, 8, swing_deg=90),
    "candle": Drawing(household.candle, 0, 14, swing_deg=90),
    "clock": Drawing(household.clock, 18, 8, PLAIN_ONLY, swing_deg=45),
    "cushion": Drawing(household.cushion, 14, 10, swing_deg=40),
    "box": Drawing(household.box, 32, 26, swing_deg=55),
    "chair": Drawing(household.chair, 32, 16, swing_deg=60),
    "table": Drawing(household.table, 28, 24, BOLD_ONLY, swing_deg=60),
    "stool": Drawing(household.stool, 20, 18, swing_deg=90),
    "armchair": Drawing(household.armchair, 28, 16, swing_deg=55),
    "backpack": Drawing(wearables.backpack, 22, 10, swing_deg=50),
    "handbag": Drawing(wearables.handbag, 22, 12, swing_deg=45),
    "suitcase": Drawing(wearables.suitcase, 26, 12, swing_deg=45),
    "hat": Drawing(wearables.hat, 0, 20, swing_deg=90),
    "cap": Drawing(wearables.cap, 42, 18, swing_deg=55),
    "t-shirt": Drawing(wearables.t_shirt, 0, 4, floats=True, swing_deg=38),
    "dress": Drawing(wearables.dress, 0, 4, floats=True, swing_deg=38),
    "trousers": Drawing(wearables.trousers, 0, 4, floats=True, swing_deg=45),
    "boot": Drawing(wearables.boot, 22, 12, swing_deg=50),
    "sneaker": Drawing(wearables.sneaker, 24, 16, swing_deg=50),
    "umbrella": Drawing(leisure.umbrella, 0, 6, floats=True, swing_deg=50),
    "ball": Drawing(leisure.ball, 0, 14, swing_deg=50),
    "guitar": Drawing(leisure.guitar, 12, 4, PLAIN_ONLY, swing_deg=45),
    "headphones": Drawing(leisure.headphones, 28, 10, PLAIN_ONLY, floats=True, swing_deg=45),
    "toy car": Drawing(leisure.toy_car, 28, 18, BOLD_ONLY, swing_deg=50),
}
"""Types of product in a stable order."""
