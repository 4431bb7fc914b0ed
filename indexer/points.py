"""A point: one picture of one product, as it lies in the vector store."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.identifiers import identifiers_of
from indexer.products import CatalogProduct

Vectors = NDArray[np.float32]
"""Embeddings, float32 (B, D), rows L2-normalised; a single one is (D,)."""

IMAGE_VECTOR = "image"
"""Name of the vector that every point has. Vectors are named from day one, so that others can join it."""

_POINT_NAMESPACE = uuid.UUID("6f1c36a0-5b0c-5e0a-9d53-0d1f3c1b7e11")


@lru_cache(maxsize=8192)  # asked for twice on the way of each picture; as many as are on their way at once
def point_id(product_id: str, image_sha256: str, tenant: str = "") -> uuid.UUID:
    """The id of a product's picture: UUID version 5 (RFC 9562) of product id and content hash.

    The content is part of the id, so a point's vector never changes: a changed picture is a new point, and the old one
    is removed after the new one is durable. No crash can leave a point with another picture's vector (DECISIONS 3).

    Args:
        product_id: the feed's own id.
        image_sha256: 64 hexadecimal digits.
        tenant: whose product it is; two tenants' points are two, whatever else is the same.
    """
    # no hash has a colon, so no point of a tenant has the id of one without
    owner = f"{tenant}:" if tenant else ""
    return uuid.uuid5(_POINT_NAMESPACE, f"{owner}{image_sha256}/{product_id}")


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
        main: whether it is the product's indexed picture of the lowest position, as which exactly one is marked, so
            that who asks for these alone meets every product once; None as an earlier version of this program wrote it.
        tags: attributes that were told from the picture itself, by name; see ``indexer.tagging``. They belong to the
            picture, so no feed or event changes them, and a changed picture has none.
        tag_probabilities: of each tag's value, 0 to 1.
        tenant: whose product it is; empty in an installation without tenants.
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
    main: bool | None = False
    tags: Mapping[str, str] = field(default_factory=dict)
    tag_probabilities: Mapping[str, float] = field(default_factory=dict)
    tenant: str = ""

    @property
    def category_path(self) -> list[str]:
        """Every level of the category, so that products are found by any: ``["Home", "Home > Kitchen"]``."""
        return [CATEGORY_SEPARATOR.join(self.category[:level]) for level in range(1, len(self.category) + 1)]

    @property
    def attribute_names(self) -> list[str]:
        """Names of the attributes and, beginning with ``tag.``, of the tags; sorted."""
        return sorted([*self.attributes, *(f"{TAG_NAME_PREFIX}{name}" for name in self.tags)])

    @property
    def identifiers(self) -> list[str]:
        """See ``identifiers_of``."""
        return list(identifiers_of(self.product_id, self.attributes))

    def to_json(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """Plain JSON values for the store, derived fields with them; ``from_json`` reads them back.

        Args:
            names: of the fields wanted; None for all.
        """
        value = {name: getattr(self, name) for name in (_WRITTEN_FIELDS if names is None else names)}
        if "category" in value:
            value["category"] = list(self.category)
        for name in _MAPPINGS:
            if name in value:
                value[name] = dict(value[name])
        if names is None:
            for name in (*_TAG_FIELDS, "tenant"):
                if not value[name]:
                    del value[name]  # most catalogs have none
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PointPayload:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError: a field is missing: the point was not written by this program.
        """
        known = {name: value[name] for name in _FIRST_FIELDS}
        # points of earlier versions have none
        known["image_validator"] = value.get("image_validator", "")
        known["main"] = value.get("main")
        known |= {name: value.get(name, {}) for name in _TAG_FIELDS}
        known["tenant"] = value.get("tenant", "")
        known["category"] = tuple(known["category"])
        return cls(**known)

    def changed_fields(self, before: PointPayload) -> frozenset[str]:
        """Names of the fields in which it differs from an earlier one, and of those that are derived from them."""
        changed = {name for name in _PAYLOAD_FIELDS if getattr(self, name) != getattr(before, name)}
        if not changed:
            return frozenset()
        if before.main is None:
            return frozenset(changed.union(_SOURCES))
        return frozenset(changed.union(name for name, sources in _SOURCES.items() if not sources.isdisjoint(changed)))


TAG_NAME_PREFIX = "tag."
"""Before the names of tags, where attributes of the feed stand beside them."""
CATEGORY_SEPARATOR = " > "
"""Between the levels of ``category_path``."""
_PAYLOAD_FIELDS = tuple(item.name for item in fields(PointPayload))
_TAG_FIELDS = ("tags", "tag_probabilities")
_MAPPINGS = ("attributes", *_TAG_FIELDS)
_FIRST_FIELDS = tuple(
    name for name in _PAYLOAD_FIELDS if name not in {"image_validator", "main", "tenant", *_TAG_FIELDS}
)
_SOURCES: Mapping[str, frozenset[str]] = {
    "category_path": frozenset({"category"}),
    "attribute_names": frozenset({"attributes", "tags"}),
    "identifiers": frozenset({"attributes", "product_id"}),
}
"""Fields that are written to be asked for, and the fields that they are derived from."""
_WRITTEN_FIELDS = (*_PAYLOAD_FIELDS, *_SOURCES)


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


def payload_of(product: CatalogProduct, image: ImageFacts, tenant: str = "") -> PointPayload:
    """The payload of one picture of a product; that of position 0 is taken for the main one, see ``with_main``."""
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
        main=image.position == 0,
        tenant=tenant,
    )


def with_main(payloads: Mapping[uuid.UUID, PointPayload]) -> dict[uuid.UUID, PointPayload]:
    """The same payloads with the main picture marked, and no other.

    Args:
        payloads: of all the points that one product is to have.
    """
    if not payloads:
        return {}
    main = min(payloads, key=lambda identity: (payloads[identity].position, identity))
    return {
        identity: payload if payload.main is (identity == main) else replace(payload, main=identity == main)
        for identity, payload in payloads.items()
    }


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
    made = with_tags_of(payload, payload_of(product, facts, payload.tenant))
    return made if made.main is payload.main else replace(made, main=payload.main)


def with_tags_of(known: PointPayload, payload: PointPayload) -> PointPayload:
    """A payload with the tags of another one of the same picture."""
    if payload.tags == known.tags and payload.tag_probabilities == known.tag_probabilities:
        return payload
    return replace(payload, tags=known.tags, tag_probabilities=known.tag_probabilities)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def version_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``: to the second, or to the microsecond where the moment has a fraction of one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def local_path(image_ref: str, image_root: str) -> Path:
    """Where a local picture lies; not yet checked to be inside ``image_root``."""
    return Path(image_root) / image_ref
