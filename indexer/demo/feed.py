"""The sample catalog as a Google Merchant Center feed (RSS 2.0 with the ``g:`` namespace)."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # it writes, and reads nothing # nosec B405
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from indexer.demo.assortment import Article
from indexer.demo.vocabulary import COLOURS, PATTERNS, TYPES

GOOGLE = "http://base.google.com/ns/1.0"
SHOP_URL = "https://shop.example"

BRANDS = ("Alder & Finch", "Bravado", "Casa Lumo", "Dunmore", "Fjellhus", "Kestrel", "Marlow", "Oriel", "Tansy", "Vale")

PRICE_RANGES_MINOR: dict[str, tuple[int, int]] = {
    "Furniture": (4900, 39900),
    "Luggage & Bags": (2900, 14900),
    "Apparel & Accessories": (1200, 8900),
    "Electronics": (2900, 19900),
    "Home & Garden": (490, 4900),
    "Toys & Games": (590, 3900),
    "Arts & Entertainment": (690, 24900),
}
"""Least and greatest price by the root of the category tree, euro cents."""


def title(article: Article) -> str:
    """An English title as a shop would write it: "Red mug with white dots"."""
    look = article.look
    noun, colour = TYPES[look.product_type].en[0].one, COLOURS[look.colour].en[0]
    if look.pattern == "plain":
        return f"{colour} {noun}".capitalize()
    thing, accent = PATTERNS[look.pattern].en_things[0], COLOURS[look.accent].en[0]
    return f"{colour} {noun} with {accent} {thing}".capitalize()


def description(article: Article) -> str:
    """Two English sentences about a product."""
    look = article.look
    noun = TYPES[look.product_type].en[0]
    pattern = PATTERNS[look.pattern].en_adjectives[0]
    verb, pronoun = ("These", "They come") if noun.plural_only else ("This", "It comes")
    be = "are" if noun.plural_only else "is"
    variants = "several colours" if article.group_id else "one colour"
    return (
        f"{verb} {noun.one} {be} {COLOURS[look.colour].en[0]} with a {pattern} finish. "
        f"{pronoun} in {variants} and {'are' if noun.plural_only else 'is'} easy to clean."
    )


def write_feed(path: Path, articles: Sequence[Article], images: Iterable[Sequence[str]]) -> None:
    """Write the feed; ``images`` are each product's picture paths relative to it, the front one first."""
    ET.register_namespace("g", GOOGLE)
    rss = ET.Element("rss", {"version": "2.0"})
    channel = ET.SubElement(rss, "channel")
    for tag, text in (
        ("title", "Vitrine sample shop"),
        ("link", SHOP_URL),
        ("description", "Made-up products, drawn by a program, for trying out photo search."),
    ):
        ET.SubElement(channel, tag).text = text
    for article, files in zip(articles, images, strict=True):
        item = ET.SubElement(channel, "item")
        for name, value in _fields(article, files):
            ET.SubElement(item, f"{{{GOOGLE}}}{name}").text = value
    ET.indent(rss)
    ET.ElementTree(rss).write(path, encoding="utf-8", xml_declaration=True)


def _fields(article: Article, files: Sequence[str]) -> list[tuple[str, str]]:
    """Names (without ``g:``) and values of a product's fields, in the order they are written."""
    look = article.look
    rng = np.random.default_rng(crc32(f"{article.product_id}|{look}".encode()))
    category = TYPES[look.product_type].category
    low, high = PRICE_RANGES_MINOR[category.split(" > ", maxsplit=1)[0]]
    # Prices end in 90 cents; variants of one shape cost the same.
    price_rng = np.random.default_rng(look.shape_seed)
    price = round(low * (high / low) ** float(price_rng.random()), -2) - 10
    fields = [
        ("id", article.product_id),
        ("title", title(article)),
        ("description", description(article)),
        ("link", f"{SHOP_URL}/p/{article.product_id}"),
        ("image_link", files[0]),
        *(("additional_image_link", file) for file in files[1:]),
        ("price", f"{price / 100:.2f} EUR"),
        ("availability", "in_stock" if rng.random() < 0.88 else "out_of_stock"),
        ("condition", "new"),
        ("brand", BRANDS[int(price_rng.integers(len(BRANDS)))]),
        ("product_type", category),
        ("color", look.colour if look.pattern == "plain" else f"{look.colour}/{look.accent}"),
        ("pattern", look.pattern),
    ]
    if article.group_id:
        fields.append(("item_group_id", article.group_id))
    return fields
