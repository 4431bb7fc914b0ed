"""A made-up catalog of picture embeddings, the same for the same seed, of any size, block by block.

A million embeddings cannot be had here without a model and a million pictures, so their shape is drawn instead. What is
copied from embeddings of product photos:

- A **narrow cone**: all pictures share a direction, so that two pictures of anything have a cosine of about 0.66 and
  not 0. Some coordinates of that direction are large, as models of this kind have them.
- **Levels**: department, category, variants of a model (``item_group_id``), product, picture. What two pictures share
  adds to their cosine: about 0.70 in a department, 0.78 in a category, 0.84 as variants, 0.90 as pictures of one
  product. Categories are of unequal size (Zipf), a product has 1 to 8 pictures, 2.5 on average.
- **Few directions matter**: each level varies with variances that fall like 1/(k + 3) over the dimensions, a
  participation ratio of 90 of 768, turned by a random rotation, so that no coordinate is special. More directions make
  neighbours harder to tell apart, fewer make it easier.
- One picture in twenty is **almost** the one before it (the same photo, cut or compressed anew).

Queries are pictures of indexed products that are not in the index and vary more (a shopper's photo: cosine to the
product's best picture about 0.88), and **text-like** ones, which lie in a cone of their own: cosine to the best
pictures about 0.2, to others about 0.01.

A catalog of N pictures is the beginning of every larger one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.points import Vectors

BLOCK = 8192
"""Pictures drawn together."""
DIM = 768

_DEPARTMENTS, _CATEGORIES, _BRANDS = 20, 1000, 2000
_VARIANCE = {"cone": 0.66, "department": 0.04, "category": 0.08, "group": 0.06, "product": 0.06, "picture": 0.10}
"""Parts of a unit vector's squared length; see the module's text."""
_QUERY_PICTURE_VARIANCE = 0.16
_TEXT_CONE_VARIANCE = 0.7
_TEXT_MEANING_VARIANCE = 0.16
_NEARLY_SAME_VARIANCE = 0.004
_NEARLY_SAME_SHARE = 0.05
_SPECTRUM_OFFSET = 3
_MAX_PICTURES = 8
_MORE_PICTURES = 0.6
"""Chance that a product has one more picture; 2.46 on average with the limit."""
_MAX_VARIANTS = 4
_SHARES = {"rare": 0.001, "small": 0.01}
"""Share of two brands' products; the others have what is left, evenly."""


@dataclass(frozen=True, slots=True)
class Products:
    """Products of a block, P of them.

    Attributes:
        first: number of the first one in the catalog.
        bases: what their pictures share, before rotation and cone, float32 (P, D).
        pictures: how many pictures each has, (P,); the last one's are cut where the block ends.
        group: number of the variants' group, (P,); category, brand: numbers, (P,).
        price_minor: evenly 0 to 99 999, (P,).
        in_stock: for half of them, (P,).
    """

    first: int
    bases: Vectors
    pictures: NDArray[np.int64]
    group: NDArray[np.int64]
    category: NDArray[np.int64]
    brand: NDArray[np.int64]
    price_minor: NDArray[np.int64]
    in_stock: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive pictures, B of them.

    Attributes:
        first: number of the first picture in the catalog.
        vectors: float32 (B, D), unit rows.
        products: of these pictures.
        of: index into ``products`` for each picture, (B,).
        position: place among its product's pictures, (B,).
    """

    first: int
    vectors: Vectors
    products: Products
    of: NDArray[np.int64]
    position: NDArray[np.int64]


@dataclass(frozen=True)
class MadeUpCatalog:
    """Draws it; see the module's text.

    Attributes:
        pictures: how many there are.
        dim: of the vectors.
        seed: another one is another catalog of the same kind.
    """

    pictures: int
    dim: int = DIM
    seed: int = 1

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """The catalog from picture ``start``, a multiple of ``BLOCK``, on."""
        for number in range(start // BLOCK, -(-self.pictures // BLOCK)):
            yield self.block(number)

    def block(self, number: int) -> Block:
        """Pictures ``number * BLOCK`` and on, as many as there are up to ``BLOCK``."""
        products = self.products(number)
        of = np.repeat(np.arange(len(products.pictures)), products.pictures)
        position = np.arange(BLOCK) - np.repeat(np.cumsum(products.pictures) - products.pictures, products.pictures)
        rng = np.random.default_rng([self.seed, number, 1])
        noise = self._draw(rng, BLOCK, _VARIANCE["picture"])
        nearly = np.flatnonzero((rng.random(BLOCK) < _NEARLY_SAME_SHARE) & (position > 0))
        # one after the other, as the picture before may be nearly another one itself
        for index in nearly:
            noise[index] = noise[index - 1]
        noise[nearly] += self._draw(rng, len(nearly), _NEARLY_SAME_VARIANCE)
        count = min(BLOCK, self.pictures - number * BLOCK)
        vectors = self._placed((products.bases[of] + noise)[:count], self._cone)
        return Block(number * BLOCK, vectors, products, of[:count], position[:count])

    def products(self, number: int) -> Products:
        """Products of a block without their pictures, which costs far less."""
        rng = np.random.default_rng([self.seed, number, 0])
        counts = np.minimum(rng.geometric(1 - _MORE_PICTURES, BLOCK), _MAX_PICTURES)
        ends = np.cumsum(counts)
        size = int(np.searchsorted(ends, BLOCK)) + 1
        counts = counts[:size].copy()
        counts[-1] -= ends[size - 1] - BLOCK
        group = np.repeat(np.arange(size), rng.integers(1, _MAX_VARIANTS + 1, size))[:size]
        category = rng.choice(_CATEGORIES, size, p=self._category_shares)[group]
        bases = self._categories[category] + self._draw(rng, size, _VARIANCE["group"])[group]
        bases += self._draw(rng, size, _VARIANCE["product"])
        drawn = rng.random(size)
        brand = rng.integers(len(_SHARES), _BRANDS, size)
        below = 0.0
        for index, share in enumerate(_SHARES.values()):
            brand[(drawn >= below) & (drawn < below + share)] = index
            below += share
        first = number * BLOCK  # no block has more products than pictures, so numbers are not used twice
        price_minor = rng.integers(0, 100_000, size)
        return Products(first, bases, counts, group + first, category, brand, price_minor, rng.random(size) < 0.5)

    def photo_queries(self, count: int) -> Vectors:
        """Pictures of products of this catalog that are not in it, float32 (count, D)."""
        bases, rng = self._asked(count, 2)
        return self._placed(bases + self._draw(rng, count, _QUERY_PICTURE_VARIANCE), self._cone)

    def text_queries(self, count: int) -> Vectors:
        """What texts about products of this catalog might be embedded as, float32 (count, D)."""
        bases, rng = self._asked(count, 3)
        meaning = bases / np.linalg.norm(bases, axis=1, keepdims=True) * np.float32(np.sqrt(_TEXT_MEANING_VARIANCE))
        return self._placed(
            meaning + self._draw(rng, count, 1 - _TEXT_CONE_VARIANCE - _TEXT_MEANING_VARIANCE), self._text_cone
        )

    def _asked(self, count: int, stream: int) -> tuple[Vectors, np.random.Generator]:
        rng = np.random.default_rng([self.seed, self.pictures, stream, 9])
        asked = np.sort(rng.integers(0, self.pictures, count))
        bases = np.empty((count, self.dim), dtype=np.float32)
        for number in np.unique(asked // BLOCK):
            products = self.products(int(number))
            within = np.flatnonzero(asked // BLOCK == number)
            of = np.searchsorted(np.cumsum(products.pictures), asked[within] % BLOCK, side="right")
            bases[within] = products.bases[of]
        return bases, rng

    def _draw(self, rng: np.random.Generator, count: int, variance: float) -> Vectors:
        drawn = rng.standard_normal((count, self.dim), dtype=np.float32)
        drawn *= self._scale * np.float32(np.sqrt(variance))
        return drawn

    def _placed(self, vectors: Vectors, cone: Vectors) -> Vectors:
        placed = vectors @ self._rotation
        placed += cone
        placed /= np.linalg.norm(placed, axis=1, keepdims=True)
        return placed

    @cached_property
    def _scale(self) -> Vectors:
        variances = 1 / (np.arange(self.dim) + _SPECTRUM_OFFSET)
        scale: Vectors = np.sqrt(variances / variances.sum()).astype(np.float32)
        return scale

    @cached_property
    def _rotation(self) -> Vectors:
        drawn = np.random.default_rng([self.seed, 4]).standard_normal((self.dim, self.dim))
        return np.linalg.qr(drawn)[0].astype(np.float32)

    @cached_property
    def _cone(self) -> Vectors:
        drawn = np.random.default_rng([self.seed, 5]).standard_t(3, self.dim)
        return _scaled(drawn, _VARIANCE["cone"])

    @cached_property
    def _text_cone(self) -> Vectors:
        drawn = np.random.default_rng([self.seed, 6]).standard_t(3, self.dim)
        return _scaled(drawn, _TEXT_CONE_VARIANCE)

    @cached_property
    def _categories(self) -> Vectors:
        rng = np.random.default_rng([self.seed, 7])
        departments = self._draw(rng, _DEPARTMENTS, _VARIANCE["department"])
        own = self._draw(rng, _CATEGORIES, _VARIANCE["category"])
        return departments[np.arange(_CATEGORIES) % _DEPARTMENTS] + own

    @cached_property
    def _category_shares(self) -> NDArray[np.float64]:
        shares = 1 / (np.arange(_CATEGORIES) + 20.0)
        return np.asarray(shares / shares.sum(), dtype=np.float64)


def _scaled(direction: NDArray[np.float64], squared_length: float) -> Vectors:
    scaled: Vectors = (direction / np.linalg.norm(direction) * np.sqrt(squared_length)).astype(np.float32)
    return scaled
