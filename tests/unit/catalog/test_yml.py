"""Yandex Market's price list: what its elements become."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.catalog.yml import MAX_CATEGORIES, Categories
from indexer.errors import FeedUnsafe
from tests.unit.catalog.feeds import only_error, only_product, read_bytes, yml

CATEGORIES = """<category id="1">Дом</category>
<category id="10" parentId="1">Кухня</category><category id="101" parentId="10">Кружки</category>"""
PICTURE = "<picture>images/1.jpg</picture>"


def test_reads_every_field_of_a_simplified_offer(tmp_path: Path) -> None:
    offer = """<offer id="12346" available="true" bid="80" group_id="77">
      <url>http://best.seller.example/p?id=1&amp;x=2</url>
      <price>1490.50</price>
      <oldprice>1620</oldprice>
      <currencyId>RUR</currencyId>
      <categoryId>101</categoryId>
      <picture>http://best.seller.example/1.jpg</picture>
      <picture>images/2.jpg</picture>
      <name>Кружка «Утро»</name>
      <vendor>ЛФЗ</vendor>
      <vendorCode>A1234567B</vendorCode>
      <description><![CDATA[<h3>Кружка</h3><p>Из фарфора,<br>300&nbsp;мл.</p>]]></description>
      <barcode>0156789012</barcode>
      <barcode>0156789013</barcode>
      <param name="Цвет">белый</param>
      <param name="Вес" unit="г">320</param>
      <param name="Размер">S</param>
      <param name="Размер">M</param>
      <param name="price">param, not the price</param>
      <param name="Пусто"></param>
    </offer>"""
    product = only_product(read_bytes(tmp_path, yml(offer, CATEGORIES)))
    assert (product.product_id, product.title, product.brand) == ("12346", "Кружка «Утро»", "ЛФЗ")
    assert product.link == "http://best.seller.example/p?id=1&x=2"
    assert product.image_refs == ("http://best.seller.example/1.jpg", "images/2.jpg")
    assert (product.price_minor, product.currency, product.in_stock) == (149_050, "RUB", True)
    assert product.category == ("Дом", "Кухня", "Кружки")
    assert product.item_group_id == "77"
    assert product.description == "Кружка Из фарфора, 300 мл."
    assert product.attributes == {
        "oldprice": "1620",
        "vendorcode": "A1234567B",
        "barcode": "0156789012, 0156789013",
        "цвет": "белый",
        "вес": "320 г",
        "размер": "S, M",
        "price": "param, not the price",
    }
    assert product.line == 6


def test_offer_of_type_vendor_model_is_called_by_its_parts(tmp_path: Path) -> None:
    offer = (
        f'<offer id="1" type="vendor.model"><typePrefix>Мороженица</typePrefix><vendor>Brand</vendor>'
        f"<model>3811</model>{PICTURE}</offer>"
    )
    product = only_product(read_bytes(tmp_path, yml(offer)))
    assert (product.title, product.brand) == ("Мороженица Brand 3811", "Brand")
    assert product.attributes == {"typeprefix": "Мороженица", "model": "3811"}


@pytest.mark.parametrize(
    ("attributes", "fields", "in_stock"),
    [
        ('available="true"', "", True),
        ('available="false"', "", False),
        ("", "", True),
        ("", "<available>false</available>", False),
        ("", "<disabled>true</disabled>", False),
        ('available="true"', "<disabled>true</disabled>", False),
        ('available="true"', "<count>0</count>", False),
        ("", "<count>3</count><disabled>false</disabled>", True),
    ],
)
def test_availability_follows_yandex(tmp_path: Path, attributes: str, fields: str, in_stock: bool) -> None:
    offer = f'<offer id="1" {attributes}><name>Mug</name>{PICTURE}{fields}</offer>'
    assert only_product(read_bytes(tmp_path, yml(offer))).in_stock is in_stock


def test_windows_1251_is_read(tmp_path: Path) -> None:
    content = yml(f'<offer id="1"><name>Кружка №1</name>{PICTURE}</offer>', encoding="windows-1251")
    assert only_product(read_bytes(tmp_path, content.encode("windows-1251"))).title == "Кружка №1"


def test_unknown_category_stays_an_attribute(tmp_path: Path) -> None:
    offer = f'<offer id="1"><name>Mug</name>{PICTURE}<categoryId>999</categoryId></offer>'
    product = only_product(read_bytes(tmp_path, yml(offer, CATEGORIES)))
    assert (product.category, product.attributes) == ((), {"categoryid": "999"})


def test_category_paths_end_where_a_parent_is_missing_or_repeats() -> None:
    tree = Categories()
    tree.add("1", "2", "One")
    tree.add("2", "1", "Two")
    tree.add("3", "404", "Three")
    tree.add("4", "3", "Fo<b>u</b>r\x00")
    assert tree.path("1") == ("Two", "One")
    assert tree.path("4")[0] == "Three"
    assert tree.path("404") == ()


def test_category_that_comes_late_is_found_from_then_on() -> None:
    tree = Categories()
    tree.add("2", "1", "Two")
    assert tree.path("2") == ("Two",)
    tree.add("1", "", "One")
    assert tree.path("2") == ("One", "Two")


def test_tree_of_categories_is_bounded() -> None:
    tree = Categories()
    for number in range(MAX_CATEGORIES):
        tree.add(str(number), "", "x")
    with pytest.raises(FeedUnsafe, match="categories"):
        tree.add("one more", "", "x")


def test_offer_without_id_or_name_is_an_error(tmp_path: Path) -> None:
    assert (
        only_error(read_bytes(tmp_path, yml(f"<offer><name>Mug</name>{PICTURE}</offer>"))).reason == "id: is missing."
    )
    error = only_error(read_bytes(tmp_path, yml(f'<offer id="1">{PICTURE}</offer>')))
    assert (error.product_id, error.reason) == ("1", "title: is missing.")
