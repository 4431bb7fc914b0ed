"""Which payload fields the store indexes, and as what; created before the upload, as filters then join the graph."""

from __future__ import annotations

from typing import Literal

FieldKind = Literal["keyword", "integer", "float", "bool", "datetime", "text"]

PAYLOAD_INDEXES: dict[str, FieldKind] = {
    "product_id": "keyword",
    "image_sha256": "keyword",
    "item_group_id": "keyword",
    "brand": "keyword",
    "category": "keyword",
    "price_minor": "integer",
    "in_stock": "bool",
    "updated_at": "datetime",
}

SERVER_PAYLOAD_INDEXES: dict[str, FieldKind] = PAYLOAD_INDEXES | {"title": "text"}
"""On a server also the words of the title: other programs filter by them in its own interface."""
