"""Rules that hold for the rows of every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.catalog import FeedFormat
from indexer.catalog.rows import MAX_ID_CHARS
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import MUG, Row, encoded, only_error, only_product, read_bytes

FULL: Row = {
    "id": "m1",
    "title": 'Кружка "Утро", 12"',
    "description": "Two lines,\none\ttab & <3",
    "link": "https://shop.example/m1?a=1&b=2",
    "image_link": "images/m1.jpg",
    "additional_image_link": ["images/m1-2.jpg", "images/m1-3.jpg"],
    "price": "1299.50 EUR",
    "availability": "out_of_stock",
    "brand": "Ostara & Co",
    "item_group_id": "mugs",
    "color": "écru",
    "updated_at": "2025-01-02T03:04:05Z",
}
ALL = pytest.mark.parametrize("feed_format", list(FeedFormat))
NOT_XML = pytest.mark.parametrize("feed_format", [FeedFormat.CSV, FeedFormat.JSONL, FeedFormat.PARQUET])


@ALL
def test_the_same_product_comes_out_of_every_format(tmp_path: Path, feed_format: FeedFormat) -> None:
    product = only_product(read_bytes(tmp_path, encoded(feed_format, [FULL])))
    assert product.product_id == "m1"
    assert product.title == 'Кружка "Утро", 12"'
    assert product.description == "Two lines, one tab & <3"
    assert product.link == "https://shop.example/m1?a=1&b=2"
    assert product.image_refs == ("images/m1.jpg", "images/m1-2.jpg", "images/m1-3.jpg")
    assert (product.price_minor, product.currency) == (129_950, "EUR")
    assert product.in_stock is False
    assert product.brand == "Ostara & Co"
    assert product.item_group_id == "mugs"
    assert product.attributes == {"color": "écru"}
    assert product.updated_at is not None
    assert product.updated_at.isoformat() == "2025-01-02T03:04:05+00:00"


@ALL
def test_a_product_needs_no_more_than_id_title_and_image(tmp_path: Path, feed_format: FeedFormat) -> None:
    product = only_product(read_bytes(tmp_path, encoded(feed_format, [MUG])))
    in_stock = True if feed_format is FeedFormat.YML else None  # what Yandex says of an offer that does not
    assert product == CatalogProduct("m1", "Mug", ("images/mug.jpg",), in_stock=in_stock, line=product.line)


@ALL
@pytest.mark.parametrize(
    ("change", "product_id", "reason"),
    [
        ({"id": ""}, "", "id: is missing."),
        ({"id": "  "}, "", "id: is missing."),
        ({"id": "x" * (MAX_ID_CHARS + 1)}, "", "id: is longer than 512 characters."),
        ({"title": ""}, "m1", "title: is missing."),
        ({"title": "<b> </b>"}, "m1", "title: is missing."),
        ({"image_link": ""}, "m1", "image_link: is missing: a product needs at least one picture."),
        ({"image_link": "../mug.jpg"}, "m1", "image_link: '../mug.jpg' leads out of the feed's folder."),
        ({"price": "dear EUR"}, "m1", "price: "),
        ({"price": "12 XYZ"}, "m1", "price: 'XYZ' is no ISO 4217 currency code."),
    ],
)
def test_a_bad_row_is_an_error_that_names_the_field_and_reading_goes_on(
    tmp_path: Path, feed_format: FeedFormat, change: Row, product_id: str, reason: str
) -> None:
    rows = [{**MUG, **change}, {**MUG, "id": "m2"}]
    error, product = read_bytes(tmp_path, encoded(feed_format, rows))
    assert isinstance(error, RowError)
    assert error.product_id == product_id
    assert error.reason.startswith(reason)
    assert isinstance(product, CatalogProduct)
    assert product.product_id == "m2"
    assert product.line > error.line > 0


@NOT_XML  # XML does not allow such characters at all
@pytest.mark.parametrize("name", ["id", "title", "description", "link", "image_link", "brand", "color"])
def test_control_characters_make_a_row_bad(tmp_path: Path, feed_format: FeedFormat, name: str) -> None:
    error = only_error(read_bytes(tmp_path, encoded(feed_format, [{**MUG, name: "a\x01b"}])))
    assert error.product_id == ("" if name == "id" else "m1")
    assert error.reason == f"{name}: holds the control character U+0001."


@ALL
def test_the_first_product_of_an_id_is_kept_and_the_second_is_an_error(tmp_path: Path, feed_format: FeedFormat) -> None:
    rows = [{**MUG, "title": "First"}, {**MUG, "title": "Second"}, {**MUG, "id": "m2"}]
    first, second, third = read_bytes(tmp_path, encoded(feed_format, rows))
    assert isinstance(first, CatalogProduct)
    assert first.title == "First"
    assert isinstance(second, RowError)
    assert (second.product_id, second.reason) == (
        "m1",
        "id: occurs a second time; the first product with it is kept.",
    )
    assert isinstance(third, CatalogProduct)


@ALL
def test_an_id_whose_first_row_was_bad_can_still_come(tmp_path: Path, feed_format: FeedFormat) -> None:
    error, product = read_bytes(tmp_path, encoded(feed_format, [{**MUG, "title": ""}, MUG]))
    assert isinstance(error, RowError)
    assert isinstance(product, CatalogProduct)


@ALL
def test_a_bad_additional_image_costs_that_image_and_is_said(tmp_path: Path, feed_format: FeedFormat) -> None:
    row = {**MUG, "additional_image_link": ["../secret.jpg", "images/b.jpg"]}
    product, error = read_bytes(tmp_path, encoded(feed_format, [row]))
    assert isinstance(product, CatalogProduct)
    assert product.image_refs == ("images/mug.jpg", "images/b.jpg")
    reason = "additional_image_link: '../secret.jpg' leads out of the feed's folder; that image is left out."
    assert error == RowError(product.line, "m1", reason)


@ALL
def test_an_unknown_price_is_no_error(tmp_path: Path, feed_format: FeedFormat) -> None:
    product = only_product(read_bytes(tmp_path, encoded(feed_format, [{**MUG, "price": ""}])))
    assert (product.price_minor, product.currency) == (None, "")
    assert "price" not in product.attributes


@ALL
@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "www.shop.example/m1", "//shop.example"])
def test_a_link_is_an_http_url_or_stays_an_attribute(tmp_path: Path, feed_format: FeedFormat, link: str) -> None:
    product = only_product(read_bytes(tmp_path, encoded(feed_format, [{**MUG, "link": link}])))
    assert (product.link, product.attributes) == ("", {"link": link})


@ALL
@pytest.mark.parametrize("time", ["last week", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-00:01"])
def test_a_time_that_is_unreadable_or_none_in_utc_stays_an_attribute(
    tmp_path: Path, feed_format: FeedFormat, time: str
) -> None:
    product = only_product(read_bytes(tmp_path, encoded(feed_format, [{**MUG, "updated_at": time}])))
    assert (product.updated_at, product.attributes) == (None, {"updated_at": time})
