"""What names a product exactly: its id, and the numbers that makers and shops give it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_NAMES = frozenset({
    "articlenumber", "article", "asin", "barcode", "barcodes", "ean", "ean8", "ean13", "gtin", "gtin8", "gtin12",
    "gtin13", "gtin14", "isbn", "isbn10", "isbn13", "itemnumber", "jan", "manufacturerpartnumber", "modelnumber", "mpn",
    "partnumber", "productcode", "sku", "stylecode", "upc", "vendorcode", "артикул", "артикулпроизводителя",
    "кодпроизводителя", "кодтовара", "штрихкод",
})  # fmt: skip
"""Names of attributes that hold identifiers, without what is between their words: Google's, Yandex's, shops' own."""
_BETWEEN_VALUES = re.compile(r"[,;|\n]")
MAX_IDENTIFIER_CHARS = 512
"""As long as a product's id may be; what is longer is no identifier."""
_NOT_WORD = re.compile(r"[\W_]+")


def normalized_identifier(text: str) -> str:
    """An identifier without what people write differently: case, width and all that is no letter or digit.

    ``AB-1200/2``, ``ab 1200 2`` and ``AB1200.2`` are one. Two numbers of a catalog that differ in nothing else are
    rare, and then both are found.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def identifiers_of(product_id: str, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Identifiers of a product, normalised, each once, its own id first.

    Args:
        product_id: the feed's own.
        attributes: names in lower case; one may hold several identifiers between commas.
    """
    found = {normalized_identifier(product_id): None}
    for name, value in attributes.items():
        if _NOT_WORD.sub("", name) in _NAMES:
            parts = (normalized_identifier(part) for part in _BETWEEN_VALUES.split(value))
            found |= {part: None for part in parts if part and len(part) <= MAX_IDENTIFIER_CHARS}
    return tuple(found)
