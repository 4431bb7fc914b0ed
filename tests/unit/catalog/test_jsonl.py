"""JSON Lines: types, invalid lines, limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.catalog import jsonl
from indexer.catalog.rows import MAX_FIELDS, MAX_ROW_CHARS
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import only_error, only_product, read_bytes

MUG = {"id": "m1", "title": "Mug", "image_link": "a.jpg"}


def line(**fields: object) -> str:
    return json.dumps({**MUG, **fields}) + "\n"


@pytest.mark.parametrize(
    ("price", "minor"),
    [
        ("12.90", 1290),
        ("12.9", 1290),
        ("1.299", 130),
        ("0.29", 29),
        ("1e2", 10_000),
        ("1290", 129_000),
        ("79228162.51", 7_922_816_251),
        ('"12,90"', 1290),
        ('{"value": "12.90", "currency": "EUR"}', 1290),
        ('{"value": 12.90, "currency": "EUR"}', 1290),
        ("null", None),
        ('""', None),
    ],
)
def test_prices_of_any_type_are_exact(tmp_path: Path, price: str, minor: int | None) -> None:
    text = f'{{"id": 1, "title": "Mug", "image": "a.jpg", "currency": "EUR", "price": {price}}}\n'
    product = only_product(read_bytes(tmp_path, text))
    assert (product.price_minor, product.currency) == (minor, "EUR" if minor is not None else "")


@pytest.mark.parametrize(
    ("fields", "refs"),
    [
        ({"images": ["b.jpg", "c.jpg"]}, ("a.jpg", "b.jpg", "c.jpg")),
        ({"additionalImageLinks": ["b.jpg"]}, ("a.jpg", "b.jpg")),
        ({"images": "b.jpg, c.jpg"}, ("a.jpg", "b.jpg", "c.jpg")),
        ({"image_link": ["b.jpg", "c.jpg"]}, ("b.jpg", "c.jpg")),
        ({"image_link": None, "picture": ["b.jpg", None, ""]}, ("b.jpg",)),
        ({"image_link": "a,b.jpg"}, ("a,b.jpg",)),
    ],
)
def test_pictures_may_be_lists(tmp_path: Path, fields: dict[str, object], refs: tuple[str, ...]) -> None:
    assert only_product(read_bytes(tmp_path, line(**fields))).image_refs == refs


@pytest.mark.parametrize(
    ("category", "path"),
    [
        (["Home", "Kitchen"], ("Home", "Kitchen")),
        (["Home > Kitchen", "Gifts"], ("Home", "Kitchen")),
        ("Home > Kitchen", ("Home", "Kitchen")),
        ([], ()),
        (None, ()),
    ],
)
def test_category_may_be_a_list(tmp_path: Path, category: object, path: tuple[str, ...]) -> None:
    assert only_product(read_bytes(tmp_path, line(category=category))).category == path


def test_free_attributes_of_any_type_become_texts(tmp_path: Path) -> None:
    content = line(
        size=42, organic=True, tags=["a", "b"], spec={"Weight": "1 kg"}, attributes={"Color": "red"}, no=None
    )
    assert only_product(read_bytes(tmp_path, content)).attributes == {
        "size": "42",
        "organic": "true",
        "tags": "a, b",
        "spec.weight": "1 kg",
        "color": "red",
    }


@pytest.mark.parametrize(
    ("stock", "in_stock"), [(True, True), (False, False), (3, True), (0, False), ("InStock", True), (None, None)]
)
def test_stock_may_be_a_flag_or_a_number(tmp_path: Path, stock: object, in_stock: bool | None) -> None:
    assert only_product(read_bytes(tmp_path, line(in_stock=stock))).in_stock is in_stock


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"id": "x", "title": }', "the line is not valid JSON: Expecting value at column"),
        ('{"id": "x"', "the line is not valid JSON"),
        ("not json", "the line is not valid JSON"),
        ('{"id": "x", "price": NaN}', "the line is not valid JSON: NaN is no JSON number"),
        ('{"id": ' + "9" * 5000 + "}", "the line is not valid JSON"),
        ('{"id": 1e99999999999999999999}', "the line is not valid JSON"),
        ('{"id": "x", "title": "a\x01"}', "the line is not valid JSON: Invalid control character"),
        ("[1, 2]", "the line is no JSON object."),
        ('"text"', "the line is no JSON object."),
        ("null", "the line is no JSON object."),
        ("[" * 100_000, "the line is nested too deep."),
        ('{"a":' * 100_000, "the line is nested too deep."),
        ('{"title": "Mug", "image": "a.jpg"}', "id: is missing."),
        ('{"id": ["x"], "title": "Mug", "image": "a.jpg"}', "id: is a list where one value belongs."),
        ('{"id": "x", "title": {"en": "Mug"}, "image": "a.jpg"}', "title: is an object where one value belongs."),
        ('{"id": "x", "title": "Mug", "image": {"url": "a.jpg"}}', "image_link: is an object"),
        ('{"id": "x", "title": "Mug", "image": "a.jpg", "price": [1]}', "price: is a list"),
        ('{"id": "x", "title": "Mug", "image": "a.jpg", "brand": "\\ud800"}', "brand: holds half of a surrogate"),
    ],
)
def test_bad_line_is_an_error_and_the_next_one_is_read(tmp_path: Path, bad: str, reason: str) -> None:
    first, error, last = read_bytes(tmp_path, line() + bad + "\n" + line(id="m3"))
    assert isinstance(first, CatalogProduct)
    assert isinstance(error, RowError)
    assert error.line == 2
    assert error.reason.startswith(reason)
    assert isinstance(last, CatalogProduct)
    assert last.line == 3


def test_blank_lines_and_a_missing_last_line_end_are_fine(tmp_path: Path) -> None:
    entries = read_bytes(tmp_path, "\n" + line() + " \r\n" + line(id="m2").rstrip())
    assert [entry.line for entry in entries] == [2, 4]


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path: Path) -> None:
    content = json.dumps({**MUG, "description": "one\u2028two\x85three"}, ensure_ascii=False) + "\n"
    assert only_product(read_bytes(tmp_path, content)).description == "one two three"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1251"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    content = json.dumps({**MUG, "title": "Кружка"}, ensure_ascii=False).encode(encoding)
    assert only_product(read_bytes(tmp_path, content)).title == "Кружка"


def test_line_larger_than_the_limit_is_an_error_and_the_next_one_is_read(tmp_path: Path) -> None:
    giant = line(description="x" * (2 * MAX_ROW_CHARS))
    error, product = read_bytes(tmp_path, line(id="m0") + giant + line())[1:]
    assert error == RowError(2, "", "the line is larger than 4 MiB.")
    assert isinstance(product, CatalogProduct)
    assert product.line == 3


def test_object_with_too_many_members_is_an_error(tmp_path: Path) -> None:
    many = {f"key {number}": "x" for number in range(MAX_FIELDS + 1)}
    assert "members" in only_error(read_bytes(tmp_path, line(**many))).reason
    assert "members" in only_error(read_bytes(tmp_path, line(attributes=many))).reason


def test_objects_of_ever_new_form_are_read(tmp_path: Path) -> None:
    content = "".join(line(id=str(number), **{f"key{number}": "x"}) for number in range(2000))
    entries = read_bytes(tmp_path, content)
    assert [dict(e.attributes) for e in entries if isinstance(e, CatalogProduct)] == [
        {f"key{number}": "x"} for number in range(2000)
    ]


def test_what_is_remembered_of_the_forms_of_objects_is_bounded() -> None:
    keys = jsonl._Keys()
    for number in range(5000):
        assert keys["id", f"key{number}"] == ("ID", f"key{number}")
        assert keys["x" * 10_000,]
        assert len(keys) <= 512
