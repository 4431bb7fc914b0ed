"""What is known of the shop that is asked: so each answer can be held to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.catalog import open_feed
from indexer.demo.catalog import FEED, QUERIES
from indexer.products import CatalogProduct

_EVERY_TEXT = 4
"""Of the texts is asked: enough of each language, and what each finds is learnt in seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """A product as its feed has it.

    Attributes:
        pictures: paths of its pictures.
        in_stock: as told.
    """

    product_id: str
    title: str
    brand: str
    price_minor: int | None
    in_stock: bool | None
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shop:
    """All that clients know.

    Attributes:
        products: by id.
        texts: of the sample catalog's questions, in four languages.
    """

    products: dict[str, Known]
    texts: tuple[str, ...]

    def count(self, fits: Callable[[Known], bool]) -> int:
        """How many products fit."""
        return sum(fits(known) for known in self.products.values())


def read_shop(folder: Path) -> Shop:
    """From the folder of a sample catalog."""
    rows = open_feed(folder / FEED)
    products = {row.product_id: _known(row, folder) for row in rows if isinstance(row, CatalogProduct)}
    lines = (folder / QUERIES).read_text("utf-8").splitlines()
    questions: list[dict[str, Any]] = [json.loads(line) for line in lines]
    texts = [question["text"] for question in questions if "text" in question]
    return Shop(products, tuple(texts[::_EVERY_TEXT]))


def _known(row: CatalogProduct, folder: Path) -> Known:
    pictures = tuple(str(folder / ref) for ref in row.image_refs)
    return Known(row.product_id, row.title, row.brand, row.price_minor, row.in_stock, pictures)
