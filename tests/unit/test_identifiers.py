"""What names a product exactly."""

from __future__ import annotations

import pytest

from indexer.identifiers import identifiers_of, normalized_identifier


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("AB-12 34", "ab1234"),
        (" ab\u20111234\u00a0", "ab1234"),
        ("ＡＢ１２３４", "ab1234"),
        ("Straße 5", "strasse5"),
        ("ab_12.34/5", "ab12345"),
        ("—", ""),
    ],
)
def test_people_write_them_differently(text: str, identifier: str) -> None:
    assert normalized_identifier(text) == identifier


def test_they_are_found_among_the_attributes() -> None:
    attributes = {
        "gtin": "4 006381 333931",
        "mpn": "SKU-1",
        "vendorcode": "VC 7",
        "артикул": "А-15",
        "barcode": "111, 222;111",
        "color": "red",
        "model number": "M1",
        "sku": "",
        "ean": "9" * 600,
    }
    found = identifiers_of("Sku 1", attributes)
    assert found == ("sku1", "4006381333931", "vc7", "а15", "111", "222", "m1")
