"""Which payload fields the store indexes, and as what; created before the upload, as filters then join the graph."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.store.filters import TENANT_FIELD, FieldKind, attribute_field

PAYLOAD_INDEXES: dict[str, FieldKind] = {
    "product_id": "keyword",
    "image_sha256": "keyword",
    "item_group_id": "keyword",
    "brand": "keyword",
    "category_path": "keyword",
    "price_minor": "integer",
    "currency": "keyword",
    "in_stock": "bool",
    "updated_at": "datetime",
    "main": "bool",
    "attribute_names": "keyword",
    "identifiers": "keyword",
}
"""Of every collection, besides the attributes that a shop names (setting ``facet_attributes``)."""

SERVER_PAYLOAD_INDEXES: dict[str, FieldKind] = PAYLOAD_INDEXES | {"title": "text"}
"""On a server also the words of the title: other programs filter by them in its own interface."""


def tenant_indexes(*, tenants: bool) -> dict[str, FieldKind]:
    """What a collection of several tenants has besides."""
    return {TENANT_FIELD: "keyword"} if tenants else {}


def attribute_indexes(names: Iterable[str]) -> dict[str, FieldKind]:
    """Indexes of attributes by name."""
    return {attribute_field(name): "keyword" for name in names}
