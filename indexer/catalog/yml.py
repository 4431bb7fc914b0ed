"""Yandex Market's price list, YML: ``yml_catalog/shop/offers/offer``, with a tree of categories before it.

Rules from Yandex Market's help for partners (yandex.ru/support/partnermarket: "YML format", "All elements included in
offer", "id, type, and available elements"):

- a simplified offer has a ``name``; one of the type ``vendor.model`` is called ``typePrefix vendor model``;
- ``available`` defaults to true; ``disabled`` hides an offer; ``count`` 0 is none left;
- ``price`` is what the shopper pays, ``oldprice`` the crossed-out one (an attribute); ``currencyId`` RUR means RUB;
- ``picture`` may be repeated, the first is the main one;
- of two offers with one id, the first counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, cast

from indexer.catalog.problems import FieldProblem
from indexer.catalog.rows import Entry, Row, RowBuilder
from indexer.catalog.text import plain_text, without_controls
from indexer.catalog.xml_rows import Attributes, Parts, put_again
from indexer.errors import FeedUnsafe

MAX_CATEGORIES: Final = 200_000
_MAX_CATEGORY_CHARS: Final = 512
_MAX_CATEGORY_DEPTH: Final = 32
_MAX_NAME_CHARS: Final = 200
_MAX_KEYS: Final = 4096

_FIELDS: Final = {
    "name": "TITLE",
    "title": "TITLE",  # type artist.title
    "description": "DESCRIPTION",
    "url": "LINK",
    "price": "PRICE",
    "currencyId": "CURRENCY",
    "categoryId": "CATEGORY_ID",
    "vendor": "BRAND",
    "available": "AVAILABILITY",
    "group_id": "ITEM_GROUP_ID",
    "modified_time": "UPDATED_AT",
    "typePrefix": "TYPE_PREFIX",
    "model": "MODEL",
    "count": "COUNT",
    "disabled": "DISABLED",
}
_ALSO_ATTRIBUTES: Final = (
    ("TYPE_PREFIX", "typeprefix"),
    ("MODEL", "model"),
    ("COUNT", "count"),
    ("CATEGORY_ID", "categoryid"),
)


@lru_cache(maxsize=4096)
def _param_name(name: str) -> str:
    return without_controls(" ".join(name.split())).lower()


class Categories:
    """A shop's tree of categories, as far as it has been read."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, str]] = {}  # id → (id of the parent, name)
        self._paths: dict[str, tuple[str, ...]] = {}

    def add(self, category_id: str, parent_id: str, name: str) -> None:
        """Take a category up.

        Raises:
            FeedUnsafe: more than 200 000 of them; each stays in memory.
        """
        if len(self._nodes) >= MAX_CATEGORIES:
            raise FeedUnsafe(f"The feed has more than {MAX_CATEGORIES} categories, which is refused.")
        try:
            name = plain_text(name[:_MAX_CATEGORY_CHARS])
        except FieldProblem:
            name = without_controls(name[:_MAX_CATEGORY_CHARS])
        self._nodes.setdefault(category_id[:_MAX_CATEGORY_CHARS], (parent_id[:_MAX_CATEGORY_CHARS], name))
        self._paths.clear()

    def path(self, category_id: str) -> tuple[str, ...]:
        """Names from the root to a category; empty if it is not there. Stops where a parent is missing or repeats."""
        path = self._paths.get(category_id)
        if path is None:
            names: list[str] = []
            met = set()
            at = category_id
            while at in self._nodes and at not in met and len(names) < _MAX_CATEGORY_DEPTH:
                met.add(at)
                at, name = self._nodes[at]
                if name:
                    names.append(name)
            path = tuple(reversed(names))
            if category_id in self._nodes:
                self._paths[category_id] = path
        return path


class _Keys(dict[str, str]):
    """Element name → key of a row; "" for the elements that may be repeated by the rules of the format."""

    def __missing__(self, name: str) -> str:
        key = "" if name in ("param", "picture") else _FIELDS.get(name) or name.lower()
        if len(self) < _MAX_KEYS and len(name) < _MAX_NAME_CHARS:
            self[name] = key
        return key


class YmlDialect:
    """Rows are ``offer`` elements; ``category`` elements before them make the tree."""

    roots = frozenset({"yml_catalog"})
    rows = frozenset({"offer"})

    def __init__(self, builder: RowBuilder) -> None:
        self.keys = _Keys()
        self._builder = builder
        self._categories = Categories()

    def open_root(self, attributes: Attributes) -> None:
        """Its date is that of the whole list, not of an offer."""

    def open_row(self, attributes: Attributes) -> Row:
        row: Row = {"ID": attributes.get("id"), "IMAGES": []}
        if "available" in attributes:
            row["AVAILABILITY"] = attributes["available"]
        if "group_id" in attributes:
            row["ITEM_GROUP_ID"] = attributes["group_id"]
        return row

    def field(self, row: Row, name: str, attributes: Attributes, text: str) -> None:
        if name == "picture":
            cast("list[str]", row["IMAGES"]).append(text)
            return
        if name == "param":
            key = _param_name(attributes.get("name", "")[:_MAX_NAME_CHARS])
            if "unit" in attributes:
                text = f"{text.strip()} {attributes['unit']}"
        else:
            key = self.keys[name]
        put_again(row, key, text)

    def parent(self, row: Row, name: str, parts: Parts) -> None:
        self.field(row, name, {}, " ".join(text for _, text in parts))

    def close_row(self, row: Row, line: int, out: list[Entry]) -> None:
        if not row.get("TITLE"):
            names = (row.get(key) for key in ("TYPE_PREFIX", "BRAND", "MODEL"))
            row["TITLE"] = " ".join(str(name).strip() for name in names if name)
        if path := self._categories.path(str(row.get("CATEGORY_ID", "")).strip()):
            row["CATEGORY"] = path
            del row["CATEGORY_ID"]
        if "DISABLED" in row or "COUNT" in row:
            hidden = str(row.pop("DISABLED", "")).strip().lower() == "true"
            if hidden or str(row.get("COUNT", "")).strip() == "0":
                row["AVAILABILITY"] = "false"
        row.setdefault("AVAILABILITY", "true")
        for key, name in _ALSO_ATTRIBUTES:
            if key in row:
                row.setdefault(name, row.pop(key))
        self._builder.add(row, line, out)

    def outside(self, name: str, attributes: Attributes, text: str) -> None:
        if name == "category" and "id" in attributes:
            self._categories.add(attributes["id"], attributes.get("parentId", ""), text)
