"""Values of a field and how many products have each, whichever way they were counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from indexer.errors import FilterInvalid
from indexer.store.filters import field_kind, split_field
from indexer.store.queries import FacetCount, FacetQuery


def check_facet(query: FacetQuery) -> None:
    """Returns if a field has values to count.

    Raises:
        FilterFieldUnknown: there is no such field.
        FilterInvalid: it has, but no such values; or the limit is none.
    """
    if (kind := field_kind(query.field)) not in {"keyword", "bool"}:
        raise FilterInvalid(f"{query.field} has no values to count: each is a {kind}.", "Ask for its range.")
    if query.limit < 1:
        raise FilterInvalid(f"A facet of {query.limit} values was asked for.", "Ask for at least one.")


def facet_counts(counted: Iterable[tuple[Any, int]], limit: int) -> tuple[FacetCount, ...]:
    """Counts in their order, without that of the empty text.

    Args:
        counted: values and counts; at least one more than ``limit``, if there are more.
        limit: most to keep.
    """
    counts = [FacetCount(value, count) for value, count in counted if value != ""]
    return tuple(sorted(counts, key=lambda item: (-item.count, item.value))[:limit])


def source_field(field: str) -> str:
    """The top-level payload field in which the values of a field stand."""
    prefix, name = split_field(field)
    return prefix.rstrip(".") or name


def count_values(field: str, found: Iterable[Any]) -> Counter[str | bool]:
    """Counts values one by one, for a field that has no index.

    Args:
        field: whose values are counted.
        found: of each point, what stands in ``source_field``.
    """
    counted: Counter[str | bool] = Counter()
    _, name = split_field(field)
    for value in found:
        held = value.get(name) if isinstance(value, Mapping) else value
        if isinstance(held, str | bool):
            counted[held] += 1
        elif isinstance(held, list):
            counted.update(set(held))
    return counted
