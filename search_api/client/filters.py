"""Filters of ``search``, put together: ``all_of(one_of("brand", "Acme"), between("price_minor", most=5000))``."""

from __future__ import annotations

from collections.abc import Sequence

from search_api.filter_schemas import FilterNode


def one_of(field: str, *values: str | bool | int | Sequence[str]) -> FilterNode:
    """The field has one of the values.

    Args:
        field: brand, category, in_stock, or any other that docs/api.md names, or an attribute of the catalog.
        values: at least one; a category as a path of any level, ``["Home", "Kitchen"]`` or ``"Home > Kitchen"``.

    Raises:
        pydantic.ValidationError: no value, or too many.
    """
    plain = [value if isinstance(value, str | bool | int) else list(value) for value in values]
    return FilterNode.model_validate({"field": field, "any_of": plain})


def between(field: str, least: float | str | None = None, most: float | str | None = None) -> FilterNode:
    """The field lies between two bounds, they themselves included.

    Args:
        field: price_minor, updated_at (ISO 8601), or an attribute.
        least, most: at least one of them.

    Raises:
        pydantic.ValidationError: there is no bound.
    """
    bounds = {"gte": least, "lte": most}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return FilterNode.model_validate({"field": field, **given})


def all_of(*parts: FilterNode) -> FilterNode:
    """Every part holds."""
    return FilterNode.model_validate({"and": list(parts)})


def any_of(*parts: FilterNode) -> FilterNode:
    """At least one part holds."""
    return FilterNode.model_validate({"or": list(parts)})


def none_of(*parts: FilterNode) -> FilterNode:
    """No part holds."""
    return FilterNode.model_validate({"not": parts[0] if len(parts) == 1 else any_of(*parts)})
