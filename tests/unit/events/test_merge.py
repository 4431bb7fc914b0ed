"""Merging events: whatever the order and however often they are delivered, the same state."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.events.delays import percentile
from indexer.events.merge import Deleted, Patched, Replaced, merge, newest, resolve, with_fields
from indexer.events.port import EventKind, FieldValue, ProductEvent, ProductState
from indexer.events.states import state_from_text, state_to_text
from tests.points import made_up_product

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


# few moments and few values, so that equal versions with unequal content are common
moments = st.integers(0, 4).map(at)
upserts = st.builds(
    lambda moment, price, root: ProductEvent(
        "p", EventKind.UPSERT, moment, product=made_up_product("p", price_minor=price), image_root=root
    ),
    moments,
    st.integers(1, 3),
    st.sampled_from(["", "/feeds"]),
)
deletes = moments.map(lambda moment: ProductEvent("p", EventKind.DELETE, moment))
patches = st.builds(
    lambda moment, fields: ProductEvent("p", EventKind.UPDATE_FIELDS, moment, fields=fields),
    moments,
    st.dictionaries(
        st.sampled_from(["price_minor", "title", "in_stock"]), st.one_of(st.none(), st.integers(0, 3)), min_size=1
    ),
)
event_lists = st.lists(st.one_of(upserts, deletes, patches), max_size=8)


def state_of(events: list[ProductEvent]) -> ProductState | None:
    state = None
    for event in events:
        state = merge(state, event).state
    return state


@given(event_lists, st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_any_repetition_come_to_the_same_state(
    events: list[ProductEvent], rng: random.Random, repeated: int
) -> None:
    shuffled = [*events, *events[:repeated]]
    rng.shuffle(shuffled)
    assert state_of(shuffled) == state_of(events)


@given(event_lists)
def test_what_is_told_of_an_event_is_what_happened(events: list[ProductEvent]) -> None:
    state: ProductState | None = None
    for event in events:
        merged = merge(state, event)
        assert merged.changed == (merged.state != (state or ProductState("p")))
        assert not (merged.stale and merged.changed)
        again = merge(merged.state, event)
        assert (again.changed, again.stale, again.ignored_fields) == (False, merged.stale, merged.ignored_fields)
        state = merged.state


@given(event_lists)
def test_the_newest_version_is_in_the_state(events: list[ProductEvent]) -> None:
    state = state_of(events)
    assert (newest(state) if state else None) == max((event.updated_at for event in events), default=None)


@given(event_lists)
def test_a_state_survives_as_text(events: list[ProductEvent]) -> None:
    state = state_of(events)
    if state is not None:
        assert state_from_text("p", state_to_text(state), 3, at(9)) == replace(state, sequence=3, appended_at=at(9))


def upsert(minutes: int, price: int) -> ProductEvent:
    return ProductEvent("p", EventKind.UPSERT, at(minutes), product=made_up_product("p", price_minor=price))


def patch(minutes: int, **fields: object) -> ProductEvent:
    return ProductEvent("p", EventKind.UPDATE_FIELDS, at(minutes), fields=fields)


def delete(minutes: int) -> ProductEvent:
    return ProductEvent("p", EventKind.DELETE, at(minutes))


@pytest.mark.parametrize(
    ("events", "price"),
    [
        ([upsert(1, 100), patch(2, price_minor=200)], 200),
        ([patch(2, price_minor=200), upsert(1, 100)], 200),
        ([patch(1, price_minor=200), upsert(2, 100)], 100),
        ([upsert(1, 100), patch(1, price_minor=50)], 50),  # equal versions: the single field
        ([upsert(1, 100), upsert(1, 99)], 99),  # equal versions: "99" is the greater text
        ([delete(1), upsert(2, 100)], 100),
        ([upsert(2, 100), delete(1)], 100),
        ([delete(1), patch(3, price_minor=300), upsert(2, 100)], 300),
        ([upsert(1, 100), patch(3, price_minor=None), patch(2, price_minor=5)], None),
    ],
)
def test_what_wins(events: list[ProductEvent], price: int | None) -> None:
    state = state_of(events)
    assert state is not None
    resolved = resolve(state, None)
    assert isinstance(resolved, Replaced)
    assert resolved.product.price_minor == price


@pytest.mark.parametrize(
    "events", [[upsert(1, 1), delete(2)], [delete(1), upsert(1, 1)], [delete(1), patch(2, title="T")]]
)
def test_what_is_deleted(events: list[ProductEvent]) -> None:
    state = state_of(events)
    assert state is not None
    assert resolve(state, None) == Deleted()


@pytest.mark.parametrize(
    ("events", "known_at", "expected"),
    [
        ([delete(5)], 4, Deleted()),
        ([delete(5)], 5, Deleted()),
        ([delete(5)], 6, Patched({})),
        ([patch(5, title="New"), patch(3, price_minor=3)], 4, Patched({"title": "New"})),
        ([patch(5, title="New"), patch(3, price_minor=3)], None, Patched({"title": "New", "price_minor": 3})),
        ([patch(5, title="New")], 6, Patched({})),
        ([upsert(3, 1), patch(5, title="New")], 4, Patched({"title": "New"})),
        ([delete(3), patch(5, title="New")], 4, Patched({"title": "New"})),
    ],
)
def test_against_what_is_known_otherwise_the_newer_holds(
    events: list[ProductEvent], known_at: int | None, expected: object
) -> None:
    state = state_of(events)
    assert state is not None
    assert resolve(state, None if known_at is None else at(known_at)) == expected


def test_a_resolved_product_has_the_version_of_its_whole_word() -> None:
    state = state_of([upsert(1, 100), patch(2, category=["A", "B"], attributes={"size": "L"})])
    assert state is not None
    resolved = resolve(state, at(1))
    expected = replace(made_up_product("p"), category=("A", "B"), attributes={"size": "L"}, updated_at=at(1))
    assert resolved == Replaced(expected, "")
    assert with_fields(expected, {}) == expected


def test_an_empty_state_has_no_version() -> None:
    assert newest(ProductState("p")) is None
    assert newest(ProductState("p", fields={"title": FieldValue(at(3), "T")})) == at(3)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 95, None),
        ([3.0], 50, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        (list(range(1, 101)), 95, 95),
        ([1, 2], 100, 2),
    ],
)
def test_percentiles(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected
