"""What a catalog feed yields: products, and rows that are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CatalogProduct:
    """One product as its feed describes it.

    Attributes:
        product_id: the feed's own id; unique in a catalog, 1–512 characters.
        title: one line of plain text.
        image_refs: at least one picture, the main one first: an http(s) URL, or a path relative to the feed's folder.
        description: plain text, may be empty.
        link: the product's page, may be empty.
        category: path of the category tree from its root, e.g. ``("Home", "Kitchen", "Mugs")``; empty if unknown.
        brand: may be empty.
        price_minor: price in minor units of ``currency`` (1290 = 12.90 EUR, 500 = 500 JPY); None if the feed has none.
        currency: ISO 4217 code in capitals, empty where there is no price.
        in_stock: True only for what can be bought now; None if the feed does not say.
        item_group_id: what variants of one product share, may be empty.
        attributes: all that else is said of it (color, size, gender, gtin, ...), names in lower case.
        updated_at: when the shop changed it, timezone-aware; None if the feed does not say.
        line: where in the feed it starts: 1-based line of a text feed, 1-based row of a Parquet file.
    """

    product_id: str
    title: str
    image_refs: tuple[str, ...]
    description: str = ""
    link: str = ""
    category: tuple[str, ...] = ()
    brand: str = ""
    price_minor: int | None = None
    currency: str = ""
    in_stock: bool | None = None
    item_group_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)
    updated_at: datetime | None = None
    line: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        value = {item.name: getattr(self, item.name) for item in fields(self)}
        value["attributes"] = dict(self.attributes)
        value["updated_at"] = self.updated_at.isoformat() if self.updated_at else None
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CatalogProduct:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it was not written by ``to_json``.
        """
        known = dict(value)
        known["image_refs"] = tuple(known["image_refs"])
        known["category"] = tuple(known["category"])
        known["updated_at"] = datetime.fromisoformat(known["updated_at"]) if known["updated_at"] else None
        return cls(**known)


@dataclass(frozen=True, slots=True)
class RowError:
    """A row of a feed that is no product; reading goes on behind it.

    Attributes:
        line: 1-based line of a text feed, 1-based row of a Parquet file, where the row starts.
        product_id: the row's id if it could be read, else empty.
        reason: one sentence that names the field and what is wrong with it.
    """

    line: int
    product_id: str
    reason: str


def is_remote(image_ref: str) -> bool:
    """Whether the reference is a URL; otherwise it is a path."""
    return image_ref.startswith(("http://", "https://"))
