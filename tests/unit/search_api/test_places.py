"""Places in an order of the catalog, which come back in cursors that anybody can make."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.errors import CursorInvalid
from indexer.store.queries import Order, OrderedAfter
from search_api.find_rankings import _read_place, _write_place

ORDERS: tuple[Order, ...] = ("catalog", "price_asc", "price_desc", "newest")
MOMENT = "2026-01-01T00:00:00Z"
IDENTITY = UUID(int=7)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["price_asc", "price_desc"]), st.none() | st.integers(-(2**40), 2**62), st.uuids())
def test_what_is_written_is_read(by: Order, value: int | None, identity: UUID) -> None:
    after = OrderedAfter(value, identity)
    assert _read_place(_write_place(after), by) == after
    assert _read_place(_write_place(OrderedAfter(MOMENT, identity)), "newest") == OrderedAfter(MOMENT, identity)
    assert _read_place(_write_place(OrderedAfter(None, identity)), "catalog") == OrderedAfter(None, identity)


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("catalog", 1),
        ("price_asc", "5"),
        ("price_asc", True),
        ("price_desc", [5]),
        ("price_desc", 10**400),
        ("newest", "yesterday"),
        ("newest", {}),
    ],
)
def test_values_of_another_order_are_no_place(by: Order, value: Any) -> None:
    with pytest.raises(CursorInvalid):
        _read_place(json.dumps([value, str(IDENTITY)]), by)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=60) | json_values.map(json.dumps), st.sampled_from(ORDERS))
@example("[" * 255, "catalog")
def test_anything_else_is_refused(place: str, by: Order) -> None:
    with pytest.raises(CursorInvalid):
        _read_place(place, by)
