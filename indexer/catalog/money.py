"""Prices as shops write them, to exact minor units.

Rules, in the order they are applied to a text:

1. A currency is an ISO 4217 code or a sign, before or behind the number; else the row's currency field; else the
   default of the feed. Where a price names its currency, that one counts.
2. White space and apostrophes between digits group thousands.
3. Of "." and ",", where both occur, the last one is the decimal separator and the other one groups thousands; one that
   occurs more than once groups thousands.
4. One that occurs once is the decimal separator, unless exactly three digits follow it: then "," groups thousands, and
   "." does so only in a currency without minor units ("150.000 VND"). What stays ambiguous ("1.299 EUR" is 1299 to a
   German and 1.299 to a program; "1,250 KWD") is refused: a price that is wrong by a thousand is worse than none.
5. Digits beyond the minor unit are rounded half up, in decimal arithmetic. No binary floating point is involved.

Google's product data specification asks for "12.90 EUR" (ISO 4217 code, "." as the decimal separator, no grouping);
Yandex Market's for "8990" and a ``currencyId``. Both are read by these rules.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from indexer.catalog.currencies import DECIMALS, currency_code
from indexer.catalog.problems import FieldProblem

_MAX_DIGITS: Final = 15  # minor units stay far below 2**63, whatever the store keeps them in
_MAX_CHARS: Final = 64  # no price is longer; and a pattern below takes quadratic time, and a cache must stay small
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
_PLAIN: Final = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,2}))?(?: ?([A-Z]{3}))?")
_PRICE: Final = re.compile(r"([^\d\s.,+-][^\d\s]*?)?\s*(-?)\s*(\d[\d\s.,'’]*?)\s*([^\d\s.,'’+-]\S*)?")
_DASH_CENTS: Final = re.compile(r"[.,][-–—]")
_GROUP_SIGNS: Final = re.compile(r"[\s'’]")


class Price(NamedTuple):
    """A price: ``minor`` in minor units of ``currency``; (None, "") where there is none or its currency is unknown."""

    minor: int | None
    currency: str


NO_PRICE: Final = Price(None, "")


def parse_price(text: str, currency: str = "", default_currency: str = "") -> Price:
    """The price that ``text`` says.

    Args:
        text: the price field; may be empty.
        currency: the row's currency field: a code or a sign, may be empty.
        default_currency: ISO 4217 code for prices that say nothing of their currency; empty if there is none.

    Returns:
        The price; ``NO_PRICE`` if the text is empty, or if nothing says its currency: without one, minor units have
        no meaning.

    Raises:
        FieldProblem: not a price, ambiguous, negative, too large, or in an unknown currency.
    """
    if len(text) > _MAX_CHARS or len(currency) > _MAX_CHARS:
        text, currency = text.strip(), currency.strip()
        if len(text) > _MAX_CHARS or len(currency) > _MAX_CHARS:
            raise FieldProblem(f"is longer than {_MAX_CHARS} characters")
    return _parse_price(text, currency, default_currency)


@lru_cache(maxsize=32_768)
def _parse_price(text: str, currency: str, default_currency: str) -> Price:
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        whole, fraction, code = plain.groups("")
        code = _currency(code or currency, default_currency)
        decimals = DECIMALS.get(code, -1)
        if len(fraction) <= decimals:
            return Price(int(whole + fraction.ljust(decimals, "0")), code)
    text = _DASH_CENTS.sub("", text.strip())
    if not text:
        return NO_PRICE
    match = _PRICE.fullmatch(text)
    if match is None:
        raise FieldProblem(f"{text[:60]!r} is no price; write it like '12.90 EUR'")
    before, minus, number, behind = match.groups("")
    if minus:
        raise FieldProblem(f"{text[:60]!r} is negative")
    if before and behind:
        raise FieldProblem(f"{text[:60]!r} has text on both sides of the number; write it like '12.90 EUR'")
    code = _currency(before or behind or currency, default_currency)
    if not code:
        return NO_PRICE
    return _in_minor_units(_amount(number.strip(), DECIMALS[code], text), code)


def price_of_number(number: Decimal, currency: str, default_currency: str = "") -> Price:
    """The price that a JSON or Parquet number says; its point is a decimal point, whatever follows it.

    Raises:
        FieldProblem: not finite, negative, too large, or in an unknown currency.
    """
    if not number.is_finite():
        raise FieldProblem(f"{number} is no price")
    if number.is_signed() and number:
        raise FieldProblem(f"{number} is negative")
    return _in_minor_units(number, _currency(currency, default_currency))


def _currency(name: str, default_currency: str) -> str:
    """Code of what the feed calls the currency; the default where it calls it nothing, which may be empty."""
    if name in DECIMALS:
        return name
    if not name.strip():
        return default_currency
    code = currency_code(name)
    if code is None:
        raise FieldProblem(f"{name.strip()[:20]!r} is no ISO 4217 currency code")
    return code


def _in_minor_units(amount: Decimal, code: str) -> Price:
    if amount and amount.adjusted() >= _MAX_DIGITS - 4:
        raise FieldProblem(f"has more than {_MAX_DIGITS - 4} digits before the decimal point")
    if not code:
        return NO_PRICE
    minor = amount.scaleb(DECIMALS[code], _EXACT).quantize(Decimal(1), context=_EXACT)
    return Price(int(minor), code)


def _amount(number: str, decimals: int, text: str) -> Decimal:
    """Rules 2 to 4 of the module: the value of digits, separators and grouping signs."""
    grouped = _GROUP_SIGNS.search(number) is not None
    points, commas = number.count("."), number.count(",")
    if points and commas:
        point = "." if number.rindex(".") > number.rindex(",") else ","
    elif points == 1:
        point = "." if grouped or not _groups_thousands(number, ".", decimals, text) else ""
    elif commas == 1:
        point = "," if grouped or not _groups_thousands(number, ",", decimals, text) else ""
    else:
        point = ""
    whole, _, fraction = number.partition(point) if point else (number, "", "")
    groups = re.split(r"[\s'’.,]", whole)
    well_grouped = len(groups[0]) <= 3 and len(groups[-1]) == 3 and all(2 <= len(group) <= 3 for group in groups[1:])
    if (len(groups) > 1 and not well_grouped) or (fraction and not fraction.isdecimal()):
        raise FieldProblem(f"{text[:60]!r} is no price; write it like '12.90 EUR'")
    return Decimal(f"{''.join(groups) or '0'}.{fraction or '0'}")


def _groups_thousands(number: str, separator: str, decimals: int, text: str) -> bool:
    """Rule 4: whether a separator that occurs once groups thousands."""
    whole, _, behind = number.partition(separator)
    if len(behind) != 3 or len(whole) > 3 or whole == "0":
        return False
    if decimals == 0 or (separator == "," and decimals == 2):
        return True
    if separator == "." and decimals >= 3:
        return False
    raise FieldProblem(f"{text[:60]!r} is ambiguous: write it with as many decimals as its currency has")
