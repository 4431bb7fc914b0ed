"""Rows of any format become products: the rules that all formats share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from indexer.catalog.fields import own_name
from indexer.catalog.image_refs import check_all, split_refs
from indexer.catalog.money import Price, parse_price, price_of_number
from indexer.catalog.problems import FieldProblem
from indexer.catalog.text import are_plain, plain_text, refuse_controls_and_breaks
from indexer.catalog.values import (
    category_path,
    flattened,
    number_of,
    parse_availability,
    parse_time,
    text_of,
)
from indexer.products import CatalogProduct, RowError

Row = dict[str, object]
Entry = CatalogProduct | RowError

MAX_ID_CHARS: Final = 512
MAX_FIELDS: Final = 2000
"""Most columns of a table, members of an object, and children of an element."""
MAX_ROW_CHARS: Final = 4 * 1024 * 1024
"""Longest row, in characters of text or in bytes of XML: so that no single row can exhaust memory."""
TOO_LARGE: Final = f"is larger than {MAX_ROW_CHARS // (1024 * 1024)} MiB"

_NOTHING: Final[Mapping[str, str]] = CatalogProduct("", "", ()).attributes


class RowBuilder:
    """Makes products out of rows, and tells an id that comes back from one that is new.

    The first product of an id is kept and later ones are ``RowError``s, as Yandex Market does it. Ids are remembered as
    their 64-bit hashes, about 70 bytes each with what the set needs; that two of a million collide happens once in
    thirty million feeds.

    Args:
        default_currency: ISO 4217 code for prices that say nothing of their currency; empty if there is none.
    """

    def __init__(self, default_currency: str = "") -> None:
        self._default_currency = default_currency
        self._seen: set[int] = set()

    def add(self, row: Row, line: int, out: list[Entry]) -> None:
        """Append what a row is: a product, a ``RowError``, or a product and an error for each image left out.

        Args:
            row: values by key, see ``fields``; it is used up.
            line: where the row starts, 1-based.
            out: gets the entries.
        """
        take = row.pop
        product_id = ""
        left_out: list[str] = []
        at = "id"  # the field being read, for the message
        try:
            if len(row) > MAX_FIELDS:
                raise FieldProblem(f"cannot be read in a row with more than {MAX_FIELDS} fields")  # noqa: TRY301
            product_id = _product_id(take("ID", None))
            mark = self._new_mark(product_id)
            at = "title"
            title = _plain(take("TITLE", "")) or _structured_title(row)
            at = "image_link"
            refs = _image_refs(row, left_out)
            at = "description"
            description = _plain(take("DESCRIPTION", ""))
            at = "link"
            link = _link(row)
            at = "price"
            price = self._price(row)
            at = "availability"
            in_stock = _availability(row)
            at = "category"
            category = _category(row)
            at = "brand"
            brand = _plain(take("BRAND", ""))
            at = "item_group_id"
            group = _plain(take("ITEM_GROUP_ID", ""))
            at = "updated_at"
            updated_at = _updated_at(row)
            at = ""
            attributes = _attributes(row) if row else _NOTHING
        except FieldProblem as problem:
            out.append(RowError(line, product_id, f"{at}: {problem}." if at else f"{problem}."))
            return
        self._seen.add(mark)
        out.append(
            CatalogProduct(
                product_id,
                title,
                refs,
                description,
                link,
                category,
                brand,
                price.minor,
                price.currency,
                in_stock,
                group,
                attributes,
                updated_at,
                line,
            )
        )
        if left_out:
            out.extend([RowError(line, product_id, f"{sentence}.") for sentence in left_out])

    def _new_mark(self, product_id: str) -> int:
        mark = hash(product_id)
        if mark in self._seen:
            raise FieldProblem("occurs a second time; the first product with it is kept")
        return mark

    def _price(self, row: Row) -> Price:
        """The price; its text becomes an attribute again where nothing says its currency."""
        value = row.pop("PRICE", None)
        currency = row.pop("CURRENCY", None)
        if type(value) is str and currency is None:  # as most feeds have it; the rest is for the others
            price = parse_price(value, "", self._default_currency)
            if price.minor is None:
                row["price"] = value
            return price
        if isinstance(value, dict):  # as Google's Content API writes it: {"value": "12.90", "currency": "EUR"}
            currency = value.get("currency") or currency
            value = value.get("value", value.get("amount"))
        named = text_of(currency).strip()
        text = text_of(value)
        number = None if isinstance(value, str) else number_of(value)
        if number is None or not text:
            price = parse_price(text, named, self._default_currency)
        else:
            price = price_of_number(number, named, self._default_currency)
        if price.minor is None and text:
            row["price"] = text
        return price


def _plain(value: object) -> str:
    return plain_text(value if type(value) is str else text_of(value))


def _product_id(value: object) -> str:
    product_id = (value if type(value) is str else text_of(value)).strip()
    if not product_id:
        raise FieldProblem("is missing")
    if not product_id.isprintable():
        refuse_controls_and_breaks(product_id)
    if len(product_id) > MAX_ID_CHARS:
        raise FieldProblem(f"is longer than {MAX_ID_CHARS} characters")
    return product_id


def _structured_title(row: Row) -> str:
    """Title of a product whose title a model wrote: Google takes those as ``digital_source_type:title``."""
    title = _plain(row.pop("structured_title", ""))
    source, _, content = title.partition(":")
    if source.strip().lower().replace("_", "") in ("default", "trainedalgorithmicmedia"):
        title = content.strip(' "')
    if not title:
        raise FieldProblem("is missing")
    return title


def _link(row: Row) -> str:
    """The page's address; one that is no http(s) URL stays an attribute, for pages make links of these."""
    value = row.pop("LINK", "")
    link = (value if type(value) is str else text_of(value)).strip()
    if not link.isprintable():
        refuse_controls_and_breaks(link)
    if link and not link.startswith(("https://", "http://")):
        row["link"] = link
        return ""
    return link


def _image_refs(row: Row, left_out: list[str]) -> tuple[str, ...]:
    """The pictures: of ``IMAGE`` first, then those of ``IMAGES``, ``IMAGES:2`` and so on."""
    main = row.pop("IMAGE", "")
    more = _refs_of(row.pop("IMAGES", ""))
    if "IMAGES:2" in row:
        for key in [key for key in row if key.startswith("IMAGES:")]:
            more += _refs_of(row.pop(key))
    if isinstance(main, list):
        more = _refs_of(main) + more
        main = ""
    return check_all(main if type(main) is str else text_of(main), more, left_out)


def _refs_of(value: object) -> list[str]:
    """References in a cell or a list."""
    if isinstance(value, list):
        return [ref if type(ref) is str else text_of(ref) for ref in value]
    text = value if type(value) is str else text_of(value)
    return split_refs(text) if text else []


def _availability(row: Row) -> bool | None:
    """Whether it can be bought; a word that says more than yes or no stays an attribute."""
    value = row.pop("AVAILABILITY", None)
    if value is None:
        return None
    text = value if type(value) is str else text_of(value)
    in_stock, said_all = parse_availability(text)
    if not said_all:
        row["availability"] = text
    return in_stock


def _category(row: Row) -> tuple[str, ...]:
    """The shop's own category; else Google's, if it is written out: its bare numbers stay an attribute."""
    value = row.pop("CATEGORY", None)
    if type(value) is tuple:  # a path already, out of a tree of categories
        return value
    path: tuple[str, ...] = ()
    if isinstance(value, list):  # the steps of one path, or several whole paths: then the first
        steps = [text_of(step) for step in value]
        path = category_path(steps[0] if steps and ">" in steps[0] else " > ".join(steps))
    elif value is not None:
        path = category_path(value if type(value) is str else text_of(value))
    if not path and (google := row.get("google_product_category")):
        text = text_of(google).strip()
        if not text.isdecimal():
            path = category_path(text)
            del row["google_product_category"]
    return path


def _updated_at(row: Row) -> datetime | None:
    """When the shop changed it; what is no ISO 8601 time stays an attribute."""
    value = row.pop("UPDATED_AT", None)
    if value is None:
        return None
    text = value if type(value) is str else text_of(value)
    moment = parse_time(text)
    if moment is None:
        row["updated_at"] = text
    return moment


def _attributes(row: Row) -> dict[str, str]:
    """All that is left of a row, by name; what is empty is left out."""
    texts = cast("dict[str, str]", row)
    try:
        if are_plain(texts.values()) and "" not in texts:
            return dict(texts)
    except TypeError:  # they are not only texts
        pass
    attributes: dict[str, str] = {}
    nested: dict[str, str] = {}
    name = ""
    try:
        for name, value in row.items():
            if type(value) is str:
                if (text := plain_text(value)) and name:
                    attributes[name] = text
            elif value is not None:
                nested |= (
                    _members(value) if name == "attributes" and isinstance(value, dict) else flattened(name, value)
                )
        if len(nested) > MAX_FIELDS:
            raise FieldProblem(f"has more than {MAX_FIELDS} members")  # noqa: TRY301
        for name, value in nested.items():
            if (text := plain_text(value)) and name:
                attributes.setdefault(name, text)
    except FieldProblem as problem:
        raise FieldProblem(f"{name}: {problem}") from None
    return attributes


def _members(value: dict[str, object]) -> dict[str, str]:
    """Members of an object called ``attributes``: free attributes under their own names."""
    members: dict[str, str] = {}
    for name, inner in value.items():
        members |= flattened(own_name(name), inner)
    return members
