"""Which made-up products a shop sells: choices of type, colour, pattern and shape, all different to the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.demo.captions import ALWAYS_HELD_OUT_PAIRS
from indexer.demo.rendering.colours import PALETTE
from indexer.demo.rendering.scene import Look
from indexer.demo.rendering.shapes import DRAWINGS

ACCENTS = ("white", "black", "yellow", "red", "blue")
"""Colours that a pattern is drawn in."""

LEAST_CONTRAST = 0.26
"""Least difference in luma (0-1) between a colour and its accent, so that the pattern is seen."""

CAPACITY = sum(len(PALETTE) * len(drawing.patterns) for drawing in DRAWINGS.values())
"""How many products can differ in type, colour or pattern."""


@dataclass(frozen=True)
class Article:
    """A product for sale.

    Attributes:
        product_id: stable within a catalog, such as ``mug-0003``.
        look: what it looks like.
        group_id: shared by colour variants of one shape; empty if there are none.
    """

    product_id: str
    look: Look
    group_id: str = ""


def luma(colour: str) -> float:
    """Luma of a named colour, 0-1 (ITU-R BT.601 weights on sRGB)."""
    red, green, blue = PALETTE[colour]
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def accents_for(colour: str) -> tuple[str, ...]:
    """Accent colours that stand out from a colour; white or black always does."""
    return tuple(accent for accent in ACCENTS if abs(luma(accent) - luma(colour)) >= LEAST_CONTRAST)


def random_accent(colour: str, rng: np.random.Generator) -> str:
    """An accent for a colour: the first that fits (mostly white) half of the time."""
    fitting = accents_for(colour)
    return fitting[0] if rng.random() < 0.5 else fitting[int(rng.integers(len(fitting)))]


def assortment(products: int, seed: int) -> list[Article]:
    """A shop's products, no two with the same type, colour and pattern.

    Types are as evenly filled as there is room for. About a third of the products are colour variants of one shape.
    A plain product of each pair in ``ALWAYS_HELD_OUT_PAIRS`` is among them if there is room: people ask for a red mug.

    Args:
        products: how many, at least 1, at most ``CAPACITY``.
        seed: other seeds give other shops.
    """
    if not 1 <= products <= CAPACITY:
        raise ValueError(f"a sample catalog has 1 to {CAPACITY} products, not {products}")
    rng = np.random.default_rng([seed, 11])
    counts = _counts(products)
    articles: list[Article] = []
    for product_type, count in counts.items():
        wanted = [colour for kind, colour in ALWAYS_HELD_OUT_PAIRS if kind == product_type]
        articles += _of_type(product_type, count, wanted, rng)
    return articles


def _counts(products: int) -> dict[str, int]:
    """How many of each type, filled one by one in turn while there is room."""
    room = {name: len(PALETTE) * len(drawing.patterns) for name, drawing in DRAWINGS.items()}
    counts = dict.fromkeys(DRAWINGS, 0)
    left = products
    while left:
        for name in DRAWINGS:
            if left and counts[name] < room[name]:
                counts[name] += 1
                left -= 1
    return {name: count for name, count in counts.items() if count}


def _of_type(product_type: str, count: int, wanted: list[str], rng: np.random.Generator) -> list[Article]:
    patterns = DRAWINGS[product_type].patterns
    free = [(colour, pattern) for pattern in patterns for colour in PALETTE]
    order = [free[i] for i in rng.permutation(len(free))]
    first = [(colour, "plain") for colour in wanted]
    order = first + [pair for pair in order if pair not in first]
    slug = product_type.replace(" ", "-")
    articles: list[Article] = []
    while len(articles) < count:
        colour, pattern = order.pop(0)
        shape_seed = int(rng.integers(1_000_000))  # training uses seeds from 5 000 000 up
        family = [colour]
        if rng.random() < 0.2:
            sisters = [pair for pair in order if pair[1] == pattern][: min(2, count - len(articles) - 1)]
            family += [sister for sister, _ in sisters]
            order = [pair for pair in order if pair not in sisters]
        group = f"{slug}-g{len(articles) + 1:02d}" if len(family) > 1 else ""
        for member in family:
            look = Look(product_type, member, pattern, random_accent(member, rng), shape_seed)
            articles.append(Article(f"{slug}-{len(articles) + 1:04d}", look, group))
    return articles
