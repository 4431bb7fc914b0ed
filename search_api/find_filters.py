"""From a filter as JSON to the store's own, every field checked against what the catalog has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from indexer.errors import FilterFieldUnknown, FilterInvalid
from indexer.identifiers import normalized_identifier
from indexer.points import CATEGORY_SEPARATOR
from indexer.store.filters import And, AnyOf, Filter, Not, Or, Range, attribute_field, both, fields_of
from search_api.filter_schemas import (
    MAX_FACET_CONDITIONS,
    MAX_FACET_FILTER_VALUES,
    MAX_FILTER_CONDITIONS,
    MAX_FILTER_DEPTH,
    MAX_FILTER_VALUES_IN_ALL,
    FilterNode,
    Value,
)

FIXED_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "attribute_names": "attribute_names",
        "brand": "brand",
        "category": "category_path",
        "currency": "currency",
        "identifiers": "identifiers",
        "in_stock": "in_stock",
        "item_group_id": "item_group_id",
        "price_minor": "price_minor",
        "product_id": "product_id",
        "updated_at": "updated_at",
    }
)
"""Fields of every product by their names here, and the store's names; all others are attributes."""

FACET_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        name: FIXED_FIELDS[name]
        for name in ("attribute_names", "brand", "category", "currency", "in_stock", "item_group_id")
    }
)
"""Those that are counted by value; ``price`` besides has a range."""

PRICE_FACET = "price"


def attributes_named(node: FilterNode | None, facets: Sequence[str]) -> frozenset[str]:
    """Names that must be attributes, as they are no fields of every product."""
    named = {field for field in _fields(node) if field not in FIXED_FIELDS} if node is not None else set()
    return frozenset(named | {name for name in facets if name not in FACET_FIELDS and name != PRICE_FACET})


def filtered_attributes(node: FilterNode | None) -> frozenset[str]:
    """Names of attributes that a filter names, in lower case."""
    return frozenset(name.lower() for name in attributes_named(node, ()))


def store_filter(node: FilterNode | None, attributes: frozenset[str], *, counted: bool = False) -> Filter | None:
    """The store's filter.

    Args:
        node: as it came; None for none.
        attributes: that the catalog has, in lower case.
        counted: facets are counted under it, which a long filter makes slow.

    Raises:
        FilterFieldUnknown: a field that no product has; the message lists those that there are.
        FilterInvalid: values that the field cannot have, or too much of everything.
    """
    if node is None:
        return None
    _check_size(node, counted=counted)
    return _converted(node, attributes)


def facet_field(name: str, attributes: frozenset[str]) -> str:
    """The store's name of what a facet counts.

    Raises:
        FilterFieldUnknown: there is no such field.
    """
    if name in FACET_FIELDS:
        return FACET_FIELDS[name]
    if name == PRICE_FACET:
        return "price_minor"
    return _attribute(name, attributes, [*FACET_FIELDS, PRICE_FACET])


def without_field(where: Filter | None, field: str) -> Filter | None:
    """A filter without its own choice of a field: its top-level parts but those about this field alone."""
    if where is None:
        return None
    parts = where.parts if isinstance(where, And) else (where,)
    return both(*(part for part in parts if set(fields_of(part)) != {field}))


def chosen_values(where: Filter | None, field: str) -> frozenset[str | int | bool]:
    """Values of a field that the top level of a filter names."""
    if where is None:
        return frozenset()
    parts = where.parts if isinstance(where, And) else (where,)
    return frozenset(
        value for part in parts if isinstance(part, AnyOf) and part.field == field for value in part.values
    )


def _converted(node: FilterNode, attributes: frozenset[str]) -> Filter:
    if node.and_ is not None:
        return And(tuple(_converted(part, attributes) for part in node.and_))
    if node.or_ is not None:
        return Or(tuple(_converted(part, attributes) for part in node.or_))
    if node.not_ is not None:
        return Not(_converted(node.not_, attributes))
    name = node.field or ""
    field = FIXED_FIELDS.get(name) or _attribute(name, attributes, FIXED_FIELDS)
    if node.any_of is not None:
        return AnyOf(field, tuple(_value(name, value) for value in node.any_of))
    return Range(field, node.gte, node.gt, node.lte, node.lt)


def _value(name: str, value: Value) -> str | int | bool:
    if isinstance(value, list):
        if name != "category":
            raise FilterInvalid(f"{name} cannot be {value!r}.", "Only categories are given as paths.")
        return CATEGORY_SEPARATOR.join(part.strip() for part in value)
    if name == "category" and isinstance(value, str):
        return CATEGORY_SEPARATOR.join(part.strip() for part in value.split(CATEGORY_SEPARATOR.strip()))
    if name == "identifiers" and isinstance(value, str):
        return normalized_identifier(value)
    return value


def _attribute(name: str, attributes: frozenset[str], fixed: Mapping[str, str] | Sequence[str]) -> str:
    if name.lower() not in attributes:
        known = ", ".join([*sorted(fixed), *sorted(attributes)])
        raise FilterFieldUnknown(f"No product has a field {name!r}.", f"There are: {known}.")
    return attribute_field(name.lower())


def _check_size(node: FilterNode, *, counted: bool) -> None:
    conditions = sum(1 for _ in _fields(node))
    if conditions > MAX_FILTER_CONDITIONS:
        raise FilterInvalid(f"The filter has {conditions} conditions.", f"At most {MAX_FILTER_CONDITIONS} are taken.")
    if counted and conditions > MAX_FACET_CONDITIONS:
        raise FilterInvalid(
            f"The filter has {conditions} conditions.", f"Facets are counted under at most {MAX_FACET_CONDITIONS}."
        )
    if (values := _values(node)) > MAX_FILTER_VALUES_IN_ALL:
        raise FilterInvalid(f"The filter names {values} values.", f"At most {MAX_FILTER_VALUES_IN_ALL} are taken.")
    if counted and values > MAX_FACET_FILTER_VALUES:
        raise FilterInvalid(
            f"The filter names {values} values.", f"Facets are counted under at most {MAX_FACET_FILTER_VALUES}."
        )
    if (depth := _depth(node)) > MAX_FILTER_DEPTH:
        raise FilterInvalid(f"The filter nests {depth} levels deep.", f"At most {MAX_FILTER_DEPTH} are taken.")


def _parts(node: FilterNode) -> list[FilterNode]:
    return [*(node.and_ or ()), *(node.or_ or ()), *([node.not_] if node.not_ is not None else [])]


def _depth(node: FilterNode) -> int:
    return 1 + max((_depth(part) for part in _parts(node)), default=0)


def _values(node: FilterNode) -> int:
    return len(node.any_of or ()) + sum(_values(part) for part in _parts(node))


def _fields(node: FilterNode) -> Iterator[str]:
    if node.field is not None:
        yield node.field
    for part in _parts(node):
        yield from _fields(part)
