"""Points and spaces that the tests make up."""

from __future__ import annotations

import hashlib

import numpy as np

from indexer.points import ImageFacts, Point, Vectors, payload_of, point_id
from indexer.products import CatalogProduct
from indexer.spaces import EmbeddingSpace

DIM = 16


def made_up_space(name: str = "one") -> EmbeddingSpace:
    """A space of 16 dimensions that is another one for every name."""
    return EmbeddingSpace(name, "", DIM, 32, "preprocess", "tokenizer", f"weights of {name}")


def unit_vector(seed: int) -> Vectors:
    """A random direction, float32 (16,)."""
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def made_up_product(product_id: str, *, price_minor: int = 100, pictures: int = 1) -> CatalogProduct:
    """A product with every field filled."""
    return CatalogProduct(
        product_id=product_id,
        title=f"Title of {product_id}",
        image_refs=tuple(f"images/{product_id}-{position}.jpg" for position in range(pictures)),
        description="Wörter, слова, 词语",
        link=f"https://shop.example/{product_id}",
        category=("Home", "Kitchen"),
        brand="Acme",
        price_minor=price_minor,
        currency="EUR",
        in_stock=True,
        item_group_id="group",
        attributes={"color": "red"},
    )


def made_up_point(product_id: str, position: int, seed: int, *, price_minor: int = 100) -> Point:
    """A point whose picture is told by ``seed``."""
    sha256 = hashlib.sha256(str(seed).encode()).hexdigest()
    facts = ImageFacts(position, f"images/{product_id}-{position}.jpg", "/feeds", sha256, 640, 480)
    payload = payload_of(made_up_product(product_id, price_minor=price_minor), facts)
    return Point(point_id(product_id, sha256), unit_vector(seed), payload)
