"""Feeds that nobody here made: every row is a product and every picture is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.catalog import FeedFormat, open_feed
from indexer.products import CatalogProduct


@pytest.mark.parametrize(
    ("name", "feed_format", "count"),
    [
        ("luma/feed.xml", FeedFormat.GOOGLE_XML, 467),
        ("grocery/feed.jsonl", FeedFormat.JSONL, 81),
        ("clothing/feed.csv", FeedFormat.CSV, 800),
    ],
)
def test_every_row_is_a_product_with_pictures(
    shared_data: Path, name: str, feed_format: FeedFormat, count: int
) -> None:
    feed = open_feed(shared_data / name)
    products = list(feed)
    assert feed.format is feed_format
    assert feed.notes == ()
    assert len(products) == count
    for product in products:
        assert isinstance(product, CatalogProduct), product
        for ref in product.image_refs:
            assert (feed.folder / ref).is_file(), (product.product_id, ref)


def test_fields_of_the_luma_shop(shared_data: Path) -> None:
    products = {entry.product_id: entry for entry in open_feed(shared_data / "luma/feed.xml")}
    hoodie = products["MH02-Black"]
    assert isinstance(hoodie, CatalogProduct)
    assert hoodie.title == "Teton Pullover Hoodie"
    assert hoodie.description.startswith("This Teton Pullover Hoodie gives you")
    assert hoodie.image_refs == (
        "images/mh02-black_main.jpg",
        "images/mh02-black_alt1.jpg",
        "images/mh02-black_back.jpg",
    )
    assert (hoodie.price_minor, hoodie.currency, hoodie.brand) == (7000, "USD", "Luma")
    assert hoodie.category == ("Men", "Tops", "Hoodies & Sweatshirts")
    assert dict(hoodie.attributes) == {"color": "Black", "condition": "new"}
    assert {entry.in_stock for entry in products.values() if isinstance(entry, CatalogProduct)} == {True, False}


def test_fields_of_the_grocery(shared_data: Path) -> None:
    first = next(iter(open_feed(shared_data / "grocery/feed.jsonl")))
    assert isinstance(first, CatalogProduct)
    assert (first.product_id, first.title, first.category) == ("g0", "Golden Delicious", ("Apple",))
    assert (first.price_minor, first.currency, first.in_stock) == (4590, "SEK", True)
    assert first.attributes == {}  # description_sv is null
