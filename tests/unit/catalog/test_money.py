"""Prices: exact minor units, whatever way shops write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.currencies import DECIMALS, currency_code
from indexer.catalog.money import NO_PRICE, parse_price, price_of_number
from indexer.catalog.problems import FieldProblem


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("12.90 EUR", 1290, "EUR"),
        ("EUR 12.90", 1290, "EUR"),
        ("12.90EUR", 1290, "EUR"),
        ("EUR12.90", 1290, "EUR"),
        ("12.9 eur", 1290, "EUR"),
        ("12 EUR", 1200, "EUR"),
        ("12. EUR", 1200, "EUR"),
        ("12,90 €", 1290, "EUR"),
        ("€12.90", 1290, "EUR"),
        ("$12.90", 1290, "USD"),
        ("US$ 1,299.00", 129_900, "USD"),
        ("1 299,00 RUB", 129_900, "RUB"),
        ("1\u00a0299,00 ₽", 129_900, "RUB"),
        ("1\u202f299 руб.", 129_900, "RUB"),
        ("1.299,00 EUR", 129_900, "EUR"),
        ("1'299.50 CHF", 129_950, "CHF"),
        ("1’299.- CHF", 129_900, "CHF"),
        ("12,- €", 1200, "EUR"),
        ("1,299 USD", 129_900, "USD"),
        ("1,299,000 USD", 129_900_000, "USD"),
        ("1,29,900.00 INR", 12_990_000, "INR"),
        ("500 JPY", 500, "JPY"),
        ("500.00 JPY", 500, "JPY"),
        ("150.000 VND", 150_000, "VND"),
        ("1,500 ¥", 1500, "JPY"),
        ("1.250 KWD", 1250, "KWD"),
        ("0.5 KWD", 500, "KWD"),
        ("1299.000 USD", 129_900, "USD"),
        ("0.125 EUR", 13, "EUR"),
        ("12.9950 EUR", 1300, "EUR"),
        ("12.9949 EUR", 1299, "EUR"),
        ("0 EUR", 0, "EUR"),
        ("99999999999.99 EUR", 9_999_999_999_999, "EUR"),
        ("8990 RUR", 899_000, "RUB"),
        ("100 грн.", 10_000, "UAH"),
        ("49,99 zł", 4999, "PLN"),
    ],
)
def test_reads_price_with_currency(text: str, minor: int, currency: str) -> None:
    assert parse_price(text) == (minor, currency)


def test_takes_currency_of_price_before_that_of_its_own_field_before_default() -> None:
    assert parse_price("12.90 USD", "EUR", "GBP") == (1290, "USD")
    assert parse_price("12.90", "EUR", "GBP") == (1290, "EUR")
    assert parse_price("12.90", " € ", "GBP") == (1290, "EUR")
    assert parse_price("12.90", "", "GBP") == (1290, "GBP")
    assert parse_price("1290", "RUR") == (129_000, "RUB")


@pytest.mark.parametrize("text", ["", "   ", "12.90", "1.299", "1,299"])
def test_has_no_price_without_amount_or_currency(text: str) -> None:
    assert parse_price(text) == NO_PRICE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("free", "no price"),
        ("12.90 - 15.90 EUR", "no price"),
        ("от 100 до 200", "no price"),
        ("12 34 EUR", "no price"),
        ("1.2.3,4 EUR", "no price"),
        ("1,299.00.5 EUR", "no price"),
        ("-12.90 EUR", "negative"),
        ("EUR 12.90 USD", "both sides"),
        ("12.90 XYZ", "no ISO 4217"),
        ("12 kr", "no ISO 4217"),
        ("1.299 EUR", "ambiguous"),
        ("1,250 KWD", "ambiguous"),
        ("123456789012 EUR", "digits"),
        ("1" * 65 + " EUR", "longer"),
    ],
)
def test_refuses_what_is_no_price(text: str, words: str) -> None:
    with pytest.raises(FieldProblem, match=words):
        parse_price(text)


def test_numbers_have_a_decimal_point_and_are_rounded_half_up_to_the_minor_unit() -> None:
    assert price_of_number(Decimal("1.299"), "EUR") == (130, "EUR")
    assert price_of_number(Decimal("12.985"), "EUR") == (1299, "EUR")
    assert price_of_number(Decimal("1e3"), "JPY") == (1000, "JPY")
    assert price_of_number(Decimal("1e-999999"), "EUR") == (0, "EUR")
    assert price_of_number(Decimal("12.9"), "") == NO_PRICE
    for bad in ("NaN", "Infinity", "-1", "1e999999", "1e12"):
        with pytest.raises(FieldProblem):
            price_of_number(Decimal(bad), "EUR")


@given(st.integers(0, 10**11 - 1), st.sampled_from(sorted(DECIMALS)))
def test_gives_back_every_amount_exactly(minor: int, currency: str) -> None:
    decimals = DECIMALS[currency]
    amount = f"{Decimal(minor).scaleb(-decimals):.{decimals}f}"
    assert price_of_number(Decimal(amount), currency) == (minor, currency)
    if decimals != 3 or minor >= 10**6:  # "1.250 KWD" aside, which has a test of its own
        assert parse_price(f"{amount} {currency}") == (minor, currency)


@given(st.text(max_size=80), st.text(max_size=4))
def test_any_text_is_a_price_or_a_problem(text: str, currency: str) -> None:
    try:
        price = parse_price(text, currency)
    except FieldProblem:
        return
    assert price == NO_PRICE or (price.minor is not None and price.minor >= 0 and price.currency in DECIMALS)


def test_knows_minor_units_of_iso_4217() -> None:
    assert (DECIMALS["EUR"], DECIMALS["JPY"], DECIMALS["KWD"], DECIMALS["CLF"]) == (2, 0, 3, 4)
    assert currency_code("usd") == "USD"
    assert currency_code("Kč") == "CZK"
    assert currency_code("kr") is None
