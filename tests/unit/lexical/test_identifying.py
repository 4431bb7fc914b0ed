"""What of a query may be an article number, a GTIN or a product's id."""

from __future__ import annotations

import pytest

from indexer.identifiers import identifiers_of
from indexer.lexical.identifying import MAX_PIECES, identifier_guesses


@pytest.mark.parametrize(
    ("query", "identifier"),
    [
        ("AB-1200/2", "AB-1200/2"),
        ("ab 1200 2", "AB-1200/2"),
        ("filter AB1200/2, please", "ab 1200-2"),
        ("4 006381 333931", "4006381333931"),
        ("EAN 4006381333931", "4-006381-333931"),
        ("артикул: КР-55", "кр 55"),
        ("арт.№12345678", "12345678"),
        ("mug", "MUG"),
        ("12", "12"),
        ("ＡＢ１２００", "AB-1200"),
        ("toy-car-0002", "toy-car-0002"),
    ],
)
def test_an_identifier_is_among_the_guesses(query: str, identifier: str) -> None:
    assert set(identifiers_of(identifier, {})) & set(identifier_guesses(query))


@pytest.mark.parametrize(
    ("query", "identifier"),
    [
        ("iphone 12 case", "12"),
        ("mug 2024 edition", "2024"),
        ("under 50000 roubles", "50000"),
        ("red mug", "mug"),
        ("red mug", "red"),
        ("size 38 shoes", "38"),
    ],
)
def test_an_ordinary_number_or_word_amid_others_is_none(query: str, identifier: str) -> None:
    assert not set(identifiers_of(identifier, {})) & set(identifier_guesses(query))


def test_the_whole_query_comes_first_and_longer_guesses_before_shorter() -> None:
    assert identifier_guesses("AB-1200/2 x9") == ("ab12002x9", "ab12002")


def test_a_text_has_a_bounded_number_of_guesses() -> None:
    assert len(identifier_guesses("a1b2c3 " * 500)) <= MAX_PIECES * 5 + 1
    assert identifier_guesses("  —!? ") == ()
