"""Google Merchant Center as XML: what its elements become."""

from __future__ import annotations

from pathlib import Path

from indexer.catalog.rows import MAX_FIELDS
from indexer.products import CatalogProduct, RowError
from tests.unit.catalog.feeds import google_item, google_xml, only_error, only_product, read_bytes


def test_reads_every_field_of_an_rss_item(tmp_path: Path) -> None:
    item = """<item>
      <title>Not this one</title>
      <g:id> m1 </g:id>
      <g:title>Red &amp;amp; white mug</g:title>
      <g:description><![CDATA[<p>A <b>big</b> mug.</p><p>350&nbsp;ml</p>]]></g:description>
      <link>https://shop.example/m1?a=1&amp;b=2</link>
      <g:image_link>https://cdn.example/m1.jpg</g:image_link>
      <g:additional_image_link>images/m1-2.jpg</g:additional_image_link>
      <g:additional_image_link>images/m1-3.jpg</g:additional_image_link>
      <g:price>12.90 EUR</g:price>
      <g:sale_price>9.90 EUR</g:sale_price>
      <g:availability>in_stock</g:availability>
      <g:brand>Luma</g:brand>
      <g:product_type>Home &gt; Kitchen &gt; Mugs</g:product_type>
      <g:product_type>Gifts</g:product_type>
      <g:google_product_category>2169</g:google_product_category>
      <g:item_group_id>mugs</g:item_group_id>
      <g:color>red</g:color>
      <g:gtin>4006381333931</g:gtin>
      <g:Material>stoneware</g:Material>
      <g:updated_at>2025-01-02T03:04:05Z</g:updated_at>
      <g:custom_label_0></g:custom_label_0>
    </item>"""
    product = only_product(read_bytes(tmp_path, google_xml(item)))
    assert (product.product_id, product.title) == ("m1", "Red & white mug")
    assert product.description == "A big mug. 350 ml"
    assert product.link == "https://shop.example/m1?a=1&b=2"
    assert product.image_refs == ("https://cdn.example/m1.jpg", "images/m1-2.jpg", "images/m1-3.jpg")
    assert (product.price_minor, product.currency, product.in_stock) == (1290, "EUR", True)
    assert product.brand == "Luma"
    assert product.category == ("Home", "Kitchen", "Mugs")
    assert product.item_group_id == "mugs"
    assert product.attributes == {
        "sale_price": "9.90 EUR",
        "google_product_category": "2169",
        "color": "red",
        "gtin": "4006381333931",
        "material": "stoneware",
    }
    assert product.updated_at is not None
    assert product.updated_at.isoformat() == "2025-01-02T03:04:05+00:00"
    assert product.line == 4


def test_reads_an_atom_feed(tmp_path: Path) -> None:
    atom = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>Shop</title><id>tag:shop.example</id><link rel="self" href="https://shop.example"/>
<entry>
  <id>tag:shop.example,m1</id><g:id>m1</g:id><title>Mug</title><summary>A mug.</summary>
  <link rel="edit" href="https://shop.example/edit"/><link href="https://shop.example/m1"/>
  <updated>2025-01-02T00:00:00Z</updated>
  <g:image_link>images/mug.jpg</g:image_link>
</entry></feed>"""
    product = only_product(read_bytes(tmp_path, atom))
    assert (product.product_id, product.title, product.description) == ("m1", "Mug", "A mug.")
    assert product.link == "https://shop.example/m1"
    assert product.updated_at is not None
    assert product.line == 4


def test_plain_names_and_another_prefix_are_googles_too(tmp_path: Path) -> None:
    plain = "<rss><channel><item><id>m1</id><title>Mug</title><image_link>a.jpg</image_link></item></channel></rss>"
    assert only_product(read_bytes(tmp_path, plain)).image_refs == ("a.jpg",)
    prefixed = (
        '<rss xmlns:goo="http://base.google.com/ns/1.0"><channel><item><goo:id>m1</goo:id><goo:title>Mug</goo:title>'
        "<goo:image_link>a.jpg</goo:image_link><media:title>Other</media:title></item></channel></rss>"
    )
    product = only_product(read_bytes(tmp_path, prefixed))
    assert (product.title, product.attributes) == ("Mug", {"media:title": "Other"})


def test_fields_inside_of_fields_do_not_overwrite_the_products_own(tmp_path: Path) -> None:
    shipping = "<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping><g:price>12 EUR</g:price>"
    product = only_product(read_bytes(tmp_path, google_item(shipping)))
    assert product.price_minor == 1200
    assert product.attributes == {"shipping": "DE:4.90 EUR"}


def test_product_details_are_attributes_of_their_own(tmp_path: Path) -> None:
    detail = (
        "<g:product_detail><g:section_name>General</g:section_name><g:attribute_name>Capacity</g:attribute_name>"
        "<g:attribute_value>350 ml</g:attribute_value></g:product_detail>"
    )
    assert only_product(read_bytes(tmp_path, google_item(detail))).attributes == {"capacity": "350 ml"}


def test_markup_that_was_not_escaped_is_text(tmp_path: Path) -> None:
    description = "<g:description>One <p>two</p><p>three</p> four</g:description>"
    assert only_product(read_bytes(tmp_path, google_item(description))).description == "One two three four"


def test_repeated_free_attributes_are_joined(tmp_path: Path) -> None:
    highlights = "<g:product_highlight>Light</g:product_highlight><g:product_highlight>Warm</g:product_highlight>"
    product = only_product(read_bytes(tmp_path, google_item(highlights)))
    assert product.attributes == {"product_highlight": "Light, Warm"}
    product = only_product(read_bytes(tmp_path, google_item("<g:x>many</g:x>" * 5000)))
    assert 4096 <= len(product.attributes["x"]) < 4200


def test_written_out_google_category_stands_in_for_a_missing_product_type(tmp_path: Path) -> None:
    category = "<g:google_product_category>Home &amp; Garden &gt; Mugs</g:google_product_category>"
    product = only_product(read_bytes(tmp_path, google_item(category)))
    assert product.category == ("Home & Garden", "Mugs")
    assert product.attributes == {}
    number = "<g:google_product_category>2169</g:google_product_category>"
    product = only_product(read_bytes(tmp_path, google_item(number)))
    assert (product.category, product.attributes) == ((), {"google_product_category": "2169"})


def test_structured_title_stands_in_for_a_missing_title(tmp_path: Path) -> None:
    item = (
        "<item><g:id>m1</g:id><g:image_link>a.jpg</g:image_link><g:structured_title>"
        "<g:digital_source_type>trained_algorithmic_media</g:digital_source_type><g:content>Mug: red</g:content>"
        "</g:structured_title></item>"
    )
    assert only_product(read_bytes(tmp_path, google_xml(item))).title == "Mug: red"


def test_words_of_availability_that_say_more_are_kept(tmp_path: Path) -> None:
    product = only_product(read_bytes(tmp_path, google_item("<g:availability>preorder</g:availability>")))
    assert (product.in_stock, product.attributes) == (False, {"availability": "preorder"})


def test_bad_item_becomes_an_error_where_it_starts_and_reading_goes_on(tmp_path: Path) -> None:
    items = """<item>
<g:id>m1</g:id><g:title>Mug</g:title>
</item><item><g:id>m2</g:id><g:title>Mug</g:title><g:image_link>a.jpg</g:image_link></item>"""
    first, second = read_bytes(tmp_path, google_xml(items))
    assert first == RowError(4, "m1", "image_link: is missing: a product needs at least one picture.")
    assert isinstance(second, CatalogProduct)
    assert (second.product_id, second.line) == ("m2", 6)


def test_names_of_html_entities_are_read_as_html_means_them(tmp_path: Path) -> None:
    product = only_product(read_bytes(tmp_path, google_item("<g:brand>Caf&eacute;&nbsp;Bar</g:brand>")))
    assert product.brand == "Café Bar"


def test_item_with_too_many_fields_is_an_error(tmp_path: Path) -> None:
    fields = "".join(f"<g:x{number}>y</g:x{number}>" for number in range(MAX_FIELDS + 1))
    assert "more than 2000 fields" in only_error(read_bytes(tmp_path, google_item(fields))).reason


def test_item_of_white_space_lacks_an_id(tmp_path: Path) -> None:
    assert only_error(read_bytes(tmp_path, google_xml("<item> </item>"))).reason == "id: is missing."
