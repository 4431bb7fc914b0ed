"""Google Merchant Center as XML: RSS 2.0 with ``g:`` elements, and Atom 1.0 with the same.

Rules from Google's product data specification (support.google.com/merchants/answer/7052112) and its pages on RSS 2.0
and Atom 1.0: title, link and description may be the feed format's own elements; an attribute that may have several
values is repeated; sub-attributes are child elements in XML and are separated by colons in text feeds, which is the
form they are kept in here, save for ``product_detail``, which names a free attribute.

``price`` is the price without a sale: what Google charges a click against, and what remains when ``sale_price`` and its
dates are over. ``sale_price`` is an attribute.
"""

from __future__ import annotations

from typing import Final, cast

from indexer.catalog.fields import own_name
from indexer.catalog.rows import Entry, Row, RowBuilder
from indexer.catalog.xml_rows import Attributes, Parts, put_again

_FIELDS: Final = {
    "id": "ID",
    "title": "TITLE",
    "description": "DESCRIPTION",
    "link": "LINK",
    "image_link": "IMAGE",
    "additional_image_link": "IMAGES",
    "price": "PRICE",
    "availability": "AVAILABILITY",
    "brand": "BRAND",
    "product_type": "CATEGORY",
    "item_group_id": "ITEM_GROUP_ID",
    "updated_at": "UPDATED_AT",
    "modified_time": "UPDATED_AT",
}
# Elements of RSS and Atom themselves, which mean a field where no g: element does.
_OWN_ELEMENTS: Final = {
    "id": "ID",
    "title": "TITLE",
    "link": "LINK",
    "description": "DESCRIPTION",
    "summary": "DESCRIPTION",
    "content": "DESCRIPTION",
    "category": "CATEGORY",
    "updated": "UPDATED_AT",
}
_OWN_KEYS: Final = tuple((f"OWN_{key}", key) for key in sorted(set(_OWN_ELEMENTS.values())))
_NAME_SPACES: Final = ("http://base.google.com/ns/", "http://base.google.com/cns/")
_MAX_KEYS: Final = 4096
_MAX_NAME_CHARS: Final = 200


class _Keys(dict[str, str]):
    """Element name → key of a row, worked out once for each name; "" for the pictures, of which there are several."""

    prefixes: tuple[str, ...] = ("g:", "c:")
    """What names of Google's attributes and of the shop's own begin with, as a rule and in this feed."""

    def __missing__(self, name: str) -> str:
        if name in _OWN_ELEMENTS:
            key = f"OWN_{_OWN_ELEMENTS[name]}"
        else:
            prefix, _, rest = name.rpartition(":")
            own = own_name(rest if f"{prefix}:" in self.prefixes else name)
            key = _FIELDS.get(own, own)
        if key == "IMAGES":
            key = ""
        if len(self) < _MAX_KEYS and len(name) < _MAX_NAME_CHARS:
            self[name] = key
        return key


class GoogleDialect:
    """Rows are ``item`` (RSS) or ``entry`` (Atom)."""

    roots = frozenset({"rss", "feed"})
    rows = frozenset({"item", "entry"})

    def __init__(self, builder: RowBuilder) -> None:
        self.keys = _Keys()
        self._builder = builder

    def open_root(self, attributes: Attributes) -> None:
        for name, value in attributes.items():
            if name.startswith("xmlns:") and value.startswith(_NAME_SPACES):
                self.keys.prefixes += (name.removeprefix("xmlns:") + ":",)

    def open_row(self, attributes: Attributes) -> Row:  # noqa: ARG002
        return {"IMAGES": []}

    def field(self, row: Row, name: str, attributes: Attributes, text: str) -> None:
        key = self.keys[name]
        if key == "OWN_LINK" and not text:  # Atom: <link rel="alternate" href="..."/>
            text = attributes.get("href", "") if attributes.get("rel", "alternate") == "alternate" else ""
        if not key:
            cast("list[str]", row["IMAGES"]).append(text)
        else:
            put_again(row, key, text)

    def parent(self, row: Row, name: str, parts: Parts) -> None:
        by_name = {part.rpartition(":")[2]: text for part, text in parts}
        if self.keys[name] == "product_detail" and "attribute_name" in by_name:
            row.setdefault(own_name(by_name["attribute_name"]), by_name.get("attribute_value", ""))
        else:
            separator = " " if self.keys[name].isupper() else ":"
            self.field(row, name, {}, separator.join(text for _, text in parts))

    def close_row(self, row: Row, line: int, out: list[Entry]) -> None:
        for own, key in _OWN_KEYS:
            if own in row:
                row[key] = row.get(key) or row[own]
                del row[own]
        self._builder.add(row, line, out)

    def outside(self, name: str, attributes: Attributes, text: str) -> None:
        """The channel's own title and link are of no use here."""
