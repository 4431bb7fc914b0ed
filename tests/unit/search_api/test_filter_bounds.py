"""How much a filter may ask: what the store would have to look at for each product is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import FilterInvalid
from indexer.store.filters import AnyOf, Filter, Not, Range, depth, fields_of
from search_api.filter_schemas import (
    MAX_FACET_CONDITIONS,
    MAX_FACET_FILTER_VALUES,
    MAX_FILTER_CONDITIONS,
    MAX_FILTER_DEPTH,
    MAX_FILTER_VALUES,
    MAX_FILTER_VALUES_IN_ALL,
    FilterNode,
)
from search_api.find_filters import filtered_attributes, store_filter

ATTRIBUTES = frozenset({"color"})


def brands(count: int) -> dict[str, Any]:
    return {"field": "brand", "any_of": [str(number) for number in range(count)]}


def read(value: dict[str, Any], *, counted: bool = False) -> Filter | None:
    return store_filter(FilterNode.model_validate(value), ATTRIBUTES, counted=counted)


def test_values_are_bounded_in_all_and_not_only_by_condition() -> None:
    full, rest = divmod(MAX_FILTER_VALUES_IN_ALL, MAX_FILTER_VALUES)
    assert rest == 0
    parts = [brands(MAX_FILTER_VALUES)] * full
    assert read({"or": parts})
    with pytest.raises(FilterInvalid, match=f"names {MAX_FILTER_VALUES_IN_ALL + 1} values"):
        read({"and": [{"not": {"or": parts}}, brands(1)]})


def test_facets_are_counted_under_short_filters_only() -> None:
    parts = [brands(1)] * MAX_FACET_CONDITIONS
    assert read({"or": parts}, counted=True)
    assert read({"or": [*parts, brands(1)]})
    with pytest.raises(FilterInvalid, match="Facets are counted under at most"):
        read({"or": [*parts, brands(1)]}, counted=True)
    assert read(brands(MAX_FACET_FILTER_VALUES), counted=True)
    with pytest.raises(FilterInvalid, match="Facets are counted under at most"):
        read(brands(MAX_FACET_FILTER_VALUES + 1), counted=True)


def test_attributes_of_a_filter_are_named_in_lower_case() -> None:
    node = FilterNode.model_validate({"and": [brands(1), {"not": {"field": "Color", "any_of": ["red"]}}]})
    assert filtered_attributes(node) == {"color"}
    assert filtered_attributes(None) == frozenset()


nodes = st.recursive(
    st.builds(brands, st.integers(1, 60)) | st.just({"field": "price_minor", "gte": 1}),
    lambda inner: (
        st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=12)
        )
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=60,
)


@settings(max_examples=150, deadline=None)
@given(nodes, st.booleans())
def test_what_is_let_through_is_within_every_bound(value: dict[str, Any], counted: bool) -> None:
    try:
        where = read(value, counted=counted)
    except FilterInvalid:
        return
    assert where is not None
    assert depth(where) <= MAX_FILTER_DEPTH
    assert len(list(fields_of(where))) <= (MAX_FACET_CONDITIONS if counted else MAX_FILTER_CONDITIONS)
    assert values_of(where) <= (MAX_FACET_FILTER_VALUES if counted else MAX_FILTER_VALUES_IN_ALL)


def values_of(where: Filter) -> int:
    match where:
        case AnyOf(_, values):
            return len(values)
        case Range():
            return 0
        case Not(part):
            return values_of(part)
        case _:
            return sum(values_of(part) for part in where.parts)
