"""A point: one picture of one product, as it lies in the vector store."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.products import CatalogProduct

Vectors = NDArray[np.float32]
"""Embeddings, float32 (B, D), rows L2-normalised; a single one is (D,)."""

IMAGE_VECTOR = "image"
"""Name of the vector that every point has. Vectors are named from day one, so that others can join it."""

_POINT_NAMESPACE = uuid.UUID("6f1c36a0-5b0c-5e0a-9d53-0d1f3c1b7e11")


@lru_cache(maxsize=8192)  # asked for twice on the way of each picture; as many as are on their way at once
def point_id(product_id: str, image_sha256: str) -> uuid.UUID:
    """The id of a product's picture: UUID version 5 (RFC 9562) of product id and content hash.

    The content is part of the id, so a point's vector never changes: a changed picture is a new point, and the old one
    is removed after the new one is durable. No crash can leave a point with another picture's vector (DECISIONS 3).

    Args:
        product_id: the feed's own id.
        image_sha256: 64 hexadecimal digits.
    """
    return uuid.uuid5(_POINT_NAMESPACE, f"{image_sha256}/{product_id}")


@dataclass(frozen=True, slots=True)
class PointPayload:
    """What a point knows of its product and picture.

    Attributes:
        product_id, title, description, link, brand, price_minor, currency, in_stock, item_group_id: as in
            ``CatalogProduct``.
        category: names from the root of the tree.
        attributes: names in lower case.
        updated_at: version of the whole product, ISO 8601 in UTC; empty if the feed does not say. An event that changes
            single fields leaves it.
        position: 0-based place of the picture among the product's own; 0 is the main one.
        image_ref: URL, or path relative to ``image_root``.
        image_root: folder of the feed that named a local picture; empty for a URL.
        image_sha256: of the picture's bytes, 64 hexadecimal digits.
        width_px, height_px: size of the upright picture.
        image_validator: to ask the picture's host with whether it is still the same; empty if that cannot be asked.
    """

    product_id: str
    title: str
    description: str
    link: str
    category: tuple[str, ...]
    brand: str
    price_minor: int | None
    currency: str
    in_stock: bool | None
    item_group_id: str
    attributes: Mapping[str, str]
    updated_at: str
    position: int
    image_ref: str
    image_root: str
    image_sha256: str
    width_px: int
    height_px: int
    image_validator: str = ""

    def to_json(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """Plain JSON values for the store; ``from_json`` reads them back.

        Args:
            names: of the fields wanted; None for all.
        """
        value = {name: getattr(self, name) for name in (_PAYLOAD_FIELDS if names is None else names)}
        if "category" in value:
            value["category"] = list(self.category)
        if "attributes" in value:
            value["attributes"] = dict(self.attributes)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PointPayload:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError: a field is missing: the point was not written by this program.
        """
        known = {name: value[name] for name in _PAYLOAD_FIELDS if name != "image_validator"}
        known["image_validator"] = value.get("image_validator", "")  # points of earlier versions have none
        known["category"] = tuple(known["category"])
        return cls(**known)

    def changed_fields(self, before: PointPayload) -> frozenset[str]:
        """Names of the fields in which it differs from an earlier one."""
        return frozenset(name for name in _PAYLOAD_FIELDS if getattr(self, name) != getattr(before, name))


_PAYLOAD_FIELDS = tuple(field.name for field in fields(PointPayload))


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one fetched picture; see ``PointPayload`` for units."""

    position: int
    ref: str
    root: str
    sha256: str
    width_px: int = 0
    height_px: int = 0
    validator: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A point to be written: id, embedding (float32, (D,), L2-normalised) and payload."""

    id: uuid.UUID
    vector: Vectors
    payload: PointPayload


def image_vector(vectors: Any) -> Vectors:
    """The picture's vector among a point's named ones, as an engine gives them: float32 (D,)."""
    named: Mapping[str, Any] = vectors
    return np.asarray(named[IMAGE_VECTOR], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """A point as read back, without its vector."""

    id: uuid.UUID
    payload: PointPayload


def payload_of(product: CatalogProduct, image: ImageFacts) -> PointPayload:
    """The payload of one picture of a product."""
    return PointPayload(
        product_id=product.product_id,
        title=product.title,
        description=product.description,
        link=product.link,
        category=product.category,
        brand=product.brand,
        price_minor=product.price_minor,
        currency=product.currency,
        in_stock=product.in_stock,
        item_group_id=product.item_group_id,
        attributes=dict(product.attributes),
        updated_at=version_text(product.updated_at) if product.updated_at else "",
        position=image.position,
        image_ref=image.ref,
        image_root=image.root,
        image_sha256=image.sha256,
        width_px=image.width_px,
        height_px=image.height_px,
        image_validator=image.validator,
    )


def with_product_fields(payload: PointPayload, product: CatalogProduct) -> PointPayload:
    """The same picture's payload with the product's fields brought up to date."""
    facts = ImageFacts(
        payload.position,
        payload.image_ref,
        payload.image_root,
        payload.image_sha256,
        payload.width_px,
        payload.height_px,
        payload.image_validator,
    )
    return payload_of(product, facts)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def version_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``: to the second, or to the microsecond where the moment has a fraction of one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def is_remote(image_ref: str) -> bool:
    """Whether the reference is a URL; otherwise it is a path."""
    return image_ref.startswith(("http://", "https://"))


def local_path(image_ref: str, image_root: str) -> Path:
    """Where a local picture lies; not yet checked to be inside ``image_root``."""
    return Path(image_root) / image_ref
