"""Filters are checked when they are made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indexer.errors import FilterFieldUnknown, FilterInvalid
from indexer.store.filters import MAX_DEPTH, And, AnyOf, Not, Or, Range, both, engine_path, field_of_path, fields_of

RED = AnyOf("attributes.color", ("red",))
CHEAP = Range("price_minor", lt=100)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AnyOf("brand", ()), "0 values"),
        (lambda: AnyOf("brand", tuple(map(str, range(10_001)))), "10001 values"),
        (lambda: AnyOf("brand", ("Acme", 1)), "cannot be 1: its values are texts"),
        (lambda: AnyOf("price_minor", (True,)), "cannot be True: its values are whole numbers"),
        (lambda: AnyOf("price_minor", (2**63,)), "cannot be 9223372036854775808"),
        (lambda: AnyOf("in_stock", (1,)), "cannot be 1: its values are true and false"),
        (lambda: AnyOf("updated_at", ("2026-01-01",)), "is a moment"),
        (lambda: AnyOf('attributes.15" screen', ("x",)), "has a quote"),
        (lambda: Range("brand", gte=1), "has no range"),
        (lambda: Range("attributes.size", gte=1), "has no range"),
        (lambda: Range("price_minor"), "has no bound"),
        (lambda: Range("price_minor", gte=float("nan")), "cannot be compared with nan"),
        (lambda: Range("price_minor", lt="9"), "cannot be compared with '9'"),
        (lambda: Range("updated_at", lt="yesterday"), "ISO 8601"),
        (lambda: Range("updated_at", lt="0001-01-01T00:00:00+05:00"), "ISO 8601"),
        (lambda: And(()), "no parts"),
        (lambda: Or(()), "no parts"),
    ],
)
def test_what_cannot_be_is_told(make: Callable[[], object], said: str) -> None:
    with pytest.raises(FilterInvalid) as told:
        make()
    assert said in str(told.value)


@pytest.mark.parametrize("field", ["colour", "attributes.", "category", "title", ""])
def test_an_unknown_field_is_told_with_those_that_are_known(field: str) -> None:
    with pytest.raises(FilterFieldUnknown, match=r"brand, category_path.*attributes\.NAME"):
        AnyOf(field, ("x",))


def test_moments_are_kept_in_utc() -> None:
    where = Range("updated_at", gte="2026-01-01T02:00:00+02:00", lt="2026-01-02")
    assert (where.gte, where.lt) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


def test_trees_are_bounded() -> None:
    tree: Not | AnyOf = RED
    for _ in range(MAX_DEPTH - 1):
        tree = Not(tree)
    with pytest.raises(FilterInvalid, match="17 levels"):
        Not(tree)


def test_filters_are_joined_where_there_are_any() -> None:
    assert both(None, None) is None
    assert both(None, RED) == RED
    assert both(RED, CHEAP) == And((RED, CHEAP))
    assert list(fields_of(Or((Not(RED), And((CHEAP, RED)))))) == ["attributes.color", "price_minor", "attributes.color"]
    assert list(fields_of(None)) == []


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("brand", "brand"),
        ("attributes.color", "attributes.color"),
        ("attributes.screen size", 'attributes."screen size"'),
        ("attributes.product_detail:a.b", 'attributes."product_detail:a.b"'),
        ("attributes.размер", 'attributes."размер"'),
    ],
)
def test_names_of_attributes_are_quoted_for_the_engines(field: str, path: str) -> None:
    assert engine_path(field) == path
    assert field_of_path(path) == field
