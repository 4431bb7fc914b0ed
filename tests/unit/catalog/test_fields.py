"""What names of columns and keys mean, and what single values say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from indexer.catalog.fields import keys_of, own_name
from indexer.catalog.problems import FieldProblem
from indexer.catalog.values import (
    Unreadable,
    category_path,
    flattened,
    number_of,
    parse_availability,
    parse_time,
    text_of,
)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("image_link", "image_link"),
        ("Image Link", "image_link"),
        ("image-link", "image_link"),
        ("imageLink", "image_link"),
        ("g:image_link", "image_link"),
        ("Image link [image_link]", "image_link"),
        ("additionalImageLinks", "additional_image_links"),
        ("Age Group", "age_group"),
        ("  ID ", "id"),
        ("Country of Origin", "country of origin"),
        ("Цвет", "цвет"),
        ("a\x00b", "a\ufffdb"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_recognises_names_in_any_spelling(name: str, own: str) -> None:
    assert own_name(name) == own


def test_each_field_takes_the_preferred_name_and_the_others_stay_attributes() -> None:
    assert keys_of(["sku", "name", "id", "title", "category", "product_type", "vendor"]) == (
        "sku", "name", "ID", "TITLE", "category", "CATEGORY", "BRAND",
    )  # fmt: skip


def test_every_column_of_pictures_counts() -> None:
    names = ["image", "image_link", "additional_image_link", "picture", "image_2", "photo3", "additional_image_link"]
    assert keys_of(names) == ("IMAGES", "IMAGE", "IMAGES:2", "IMAGES:3", "IMAGES:4", "IMAGES:5", "IMAGES:6")


def test_names_that_come_twice_or_not_at_all_do_not_overwrite_each_other() -> None:
    assert keys_of(["id", "color", "color", "", "id", ""]) == ("ID", "color", "color:2", "", "id", "")


@pytest.mark.parametrize(
    "word",
    ["in stock", "in_stock", "In Stock", "instock", "true", "TRUE", "1", "yes", "17", "https://schema.org/InStock",
     "http://schema.org/LimitedAvailability", "в наличии"],
)  # fmt: skip
def test_what_can_be_bought_now_is_in_stock(word: str) -> None:
    assert parse_availability(word)[0] is True


@pytest.mark.parametrize(
    "word",
    ["out of stock", "out_of_stock", "OutOfStock", "false", "0", "no", "preorder", "pre-order", "backorder",
     "https://schema.org/PreOrder", "http://schema.org/SoldOut", "discontinued"],
)  # fmt: skip
def test_what_cannot_be_bought_now_is_not_in_stock(word: str) -> None:
    assert parse_availability(word)[0] is False


def test_words_that_say_more_than_yes_or_no_are_to_be_kept() -> None:
    assert parse_availability("in stock") == (True, True)
    assert parse_availability("preorder") == (False, False)
    assert parse_availability("17") == (True, False)
    assert parse_availability("ships in 3 days") == (None, False)
    assert parse_availability("x" * 10_000) == (None, False)
    assert parse_availability("") == (None, True)


def test_category_is_a_path_from_the_root() -> None:
    assert category_path("Home > Kitchen >Mugs") == ("Home", "Kitchen", "Mugs")
    assert category_path("Men &gt; Tops") == ("Men", "Tops")
    assert category_path(" > Mugs > ") == ("Mugs",)
    assert category_path("") == ()
    with pytest.raises(FieldProblem, match="longer"):
        category_path("x" * 2001)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-02T03:04:05Z", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2025-01-02 03:04:05", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (" 2025-01-02 ", datetime(2025, 1, 2, tzinfo=UTC)),
        ("2025-01-02T03:04:05+03:00", datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=3)))),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_iso_8601_and_utc_if_naive(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_values_of_json_and_parquet_become_the_text_a_text_feed_would_hold() -> None:
    assert [text_of(v) for v in ("a", 7, True, None, Decimal("12.90"), b"\xd0\xb0", 7.0, 7.5, float("nan"))] == [
        "a", "7", "true", "", "12.90", "а", "7", "7.5", "",
    ]  # fmt: skip
    assert text_of(date(2025, 1, 2)) == "2025-01-02"
    assert text_of(datetime(2025, 1, 2, tzinfo=UTC)) == "2025-01-02T00:00:00+00:00"
    assert text_of(b"\xe9") == "\udce9"
    for bad, words in (([], "a list"), ({}, "an object"), (Unreadable("is broken"), "is broken")):
        with pytest.raises(FieldProblem, match=words):
            text_of(bad)


def test_numbers_are_taken_in_decimal() -> None:
    assert number_of(12.9) == Decimal("12.9")
    assert number_of(7) == Decimal(7)
    assert number_of("7") is None
    assert number_of(value=True) is None


def test_free_attributes_of_any_shape_become_texts() -> None:
    assert flattened("size", 42) == {"size": "42"}
    assert flattened("tags", ["a", 1, None, ["deep"], "b"]) == {"tags": "a, 1, b"}
    assert flattened("spec", {"Weight": "1 kg", "deep": {"x": 1}}) == {"spec.weight": "1 kg"}
