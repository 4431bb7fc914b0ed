"""What single fields say: availability, category paths, times, and values that are no text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from indexer.catalog.problems import FieldProblem
from indexer.catalog.text import plain_text, without_controls

# Google: in_stock, out_of_stock, preorder, backorder. schema.org ItemAvailability: the names after the last "/". Words
# and numbers: what shops' own exports write. Preorder and backorder cannot be bought now, so they are not in stock.
_IN_STOCK: Final = "instock true yes y available instoreonly onlineonly limitedavailability limited да вналичии есть"
_NOT_IN_STOCK: Final = (
    "outofstock oos false no n unavailable notavailable soldout discontinued preorder presale backorder backordered "
    "madetoorder reserved нет нетвналичии подзаказ"
)
_AVAILABILITY: Final = dict.fromkeys(_IN_STOCK.split(), True) | dict.fromkeys(_NOT_IN_STOCK.split(), False)
# What ``in_stock`` says fully.
_SAYS_ALL: Final = frozenset({"", "true", "false", "instock", "outofstock", "yes", "no"})


# Nothing longer gets into the caches below: they must stay small whatever a feed holds.
_MAX_WORD_CHARS: Final = 64
_MAX_PATH_CHARS: Final = 2000


def parse_availability(text: str) -> tuple[bool | None, bool]:
    """What an availability field says.

    Returns:
        Whether the product can be bought now (None: not understood), and whether that is all the text says, so that
        the text itself needs not be kept. A number is a quantity.
    """
    return _availability(text) if len(text) <= _MAX_WORD_CHARS else (None, False)


@lru_cache(maxsize=1024)
def _availability(text: str) -> tuple[bool | None, bool]:
    word = text.strip().lower().rstrip("/")
    word = word.rsplit("/", 1)[-1] if "/" in word else word
    word = word.replace(" ", "").replace("_", "").replace("-", "")
    if word.isdecimal():
        return word.strip("0") != "", word in ("0", "1")
    return _AVAILABILITY.get(word), word in _SAYS_ALL


def category_path(text: str) -> tuple[str, ...]:
    """A category as Google writes it, ``Home > Kitchen > Mugs``, as its steps from the root.

    Raises:
        FieldProblem: a control character, or longer than 2000 characters (Google allows 750).
    """
    if len(text) > _MAX_PATH_CHARS:
        raise FieldProblem(f"is longer than {_MAX_PATH_CHARS} characters")
    return _category_path(text)


@lru_cache(maxsize=8192)
def _category_path(text: str) -> tuple[str, ...]:
    return tuple([step for part in plain_text(text).split(">") if (step := part.strip())])


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 date or time, timezone-aware; one without a zone is UTC. None if it is no such time."""
    try:
        return in_utc_if_naive(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def in_utc_if_naive(moment: datetime) -> datetime:
    """The same time with a zone.

    Raises:
        OverflowError: in UTC, as it is stored, its year would be none from 1 to 9999.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    moment.astimezone(UTC)
    return moment


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value that its format could not give; ``reason`` continues the sentence its field begins."""

    reason: str


def text_of(value: object) -> str:
    """A value of JSON or Parquet as the text a feed of text would hold; empty for null and NaN.

    Raises:
        FieldProblem: a list or an object where one value belongs, or ``Unreadable``.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):  # how tables written by pandas say "nothing here" ...
            return ""
        # ... and they turn whole numbers into floats wherever a column has a gap.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        raise FieldProblem(f"is {'a list' if isinstance(value, list) else 'an object'} where one value belongs")
    if isinstance(value, Unreadable):
        raise FieldProblem(value.reason)
    return str(value)


def number_of(value: object) -> Decimal | None:
    """A JSON or Parquet number in decimal, a binary one as its shortest decimal form; None for any other value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    return None


def flattened(name: str, value: object) -> dict[str, str]:
    """A free attribute of any type as texts by name.

    A list becomes its members, separated by commas; an object one attribute for each of its members, named
    ``name.member``. What is nested deeper is left out.
    """
    if isinstance(value, dict):
        return {
            f"{name}.{without_controls(str(member)).strip().lower()}": text_of(inner)
            for member, inner in value.items()
            if not isinstance(inner, (list, dict))
        }
    if isinstance(value, list):
        return {name: ", ".join(filter(None, (text_of(i) for i in value if not isinstance(i, (list, dict)))))}
    return {name: text_of(value)}
