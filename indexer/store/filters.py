"""Which products a question is about: a tree of conditions on payload fields, free of any engine's types.

A condition on a list (``category_path``, ``attribute_names``, ``identifiers``) holds if one of its entries fulfils it.
A field that a point does not have fulfils no condition, so ``Not`` of one finds it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from indexer.errors import FilterFieldUnknown, FilterInvalid
from indexer.points import TAG_NAME_PREFIX, version_text

FieldKind = Literal["keyword", "integer", "float", "bool", "datetime", "text"]

FILTER_FIELDS: Mapping[str, FieldKind] = {
    "product_id": "keyword",
    "brand": "keyword",
    "category_path": "keyword",
    "price_minor": "integer",
    "currency": "keyword",
    "in_stock": "bool",
    "item_group_id": "keyword",
    "updated_at": "datetime",
    "image_sha256": "keyword",
    "main": "bool",
    "position": "integer",
    "attribute_names": "keyword",
    "identifiers": "keyword",
    "tenant": "keyword",
}
"""Fields that can be filtered by, besides ``attributes.NAME`` and ``tags.NAME``, and what their values are."""

TENANT_FIELD = "tenant"
"""Whose product it is; see ``indexer.store.tenants``."""
ATTRIBUTE_PREFIX = "attributes."
TAG_PREFIX = "tags."
"""What is told from pictures; see ``indexer.tagging``."""
DERIVED_FIELDS = frozenset({"category_path", "attribute_names", "main", "identifiers"})
"""Fields that points of earlier versions do not have."""

MAX_VALUES = 10_000
"""Of one ``AnyOf``: more than a shopper picks, enough for a list that a program holds."""
MAX_DEPTH = 16
"""Levels of a tree: servers bound how deep a message may nest."""
_MOST = 2**63
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def field_kind(field: str) -> FieldKind:
    """What the values of a field are.

    Raises:
        FilterFieldUnknown: no field that can be filtered by has that name.
        FilterInvalid: an attribute whose name the stores have no way to write.
    """
    prefix, name = split_field(field)
    if prefix and name:
        if '"' in field:
            raise FilterInvalid(f"The attribute {name} cannot be filtered by: its name has a quote.")
        return "keyword"
    kind = FILTER_FIELDS.get(field)
    if kind is None:
        raise FilterFieldUnknown(
            f"There is no field {field!r} to filter by.",
            f"There are {', '.join(sorted(FILTER_FIELDS))} and {ATTRIBUTE_PREFIX}NAME.",
        )
    return kind


def attribute_field(name: str) -> str:
    """The field of an attribute, whose name is in lower case; or of a tag, whose name begins with ``tag.``."""
    if name.startswith(TAG_NAME_PREFIX):
        return f"{TAG_PREFIX}{name.removeprefix(TAG_NAME_PREFIX)}"
    return f"{ATTRIBUTE_PREFIX}{name}"


def split_field(field: str) -> tuple[str, str]:
    """The prefix of the fields that have one for each name, and the name; an empty prefix for other fields."""
    prefix = next((item for item in (ATTRIBUTE_PREFIX, TAG_PREFIX) if field.startswith(item)), "")
    return prefix, field.removeprefix(prefix)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field has one of these values.

    Attributes:
        field: of ``FILTER_FIELDS``, or ``attributes.NAME``; no moment.
        values: at least one, all of the field's kind: text, whole numbers or booleans.

    Raises:
        FilterFieldUnknown, FilterInvalid: it cannot be asked for.
    """

    field: str
    values: tuple[str | int | bool, ...]

    def __post_init__(self) -> None:
        kind = field_kind(self.field)
        if kind == "datetime":
            raise FilterInvalid(f"{self.field} is a moment.", "Filter by a range of them.")
        if not self.values or len(self.values) > MAX_VALUES:
            raise FilterInvalid(
                f"{self.field} is asked for with {len(self.values)} values.", f"Name 1 to {MAX_VALUES}."
            )
        for value in self.values:
            if not _fits(kind, value):
                raise FilterInvalid(f"{self.field} cannot be {value!r}: its values are {_WORDS[kind]}.")


@dataclass(frozen=True, slots=True)
class Range:
    """The field is a number or moment between bounds.

    Attributes:
        field: a number or moment of ``FILTER_FIELDS``.
        gte, gt, lte, lt: at least one: a number, or for moments an ISO 8601 text, UTC where it names no offset; these
            are kept in UTC.

    Raises:
        FilterFieldUnknown, FilterInvalid: it cannot be asked for.
    """

    field: str
    gte: float | str | None = None
    gt: float | str | None = None
    lte: float | str | None = None
    lt: float | str | None = None

    def __post_init__(self) -> None:
        kind = field_kind(self.field)
        if kind not in {"integer", "datetime"}:
            raise FilterInvalid(f"{self.field} has no range: its values are {_WORDS[kind]}.", "Name the values.")
        if all(bound is None for _, bound in self.bounds()):
            raise FilterInvalid(f"The range of {self.field} has no bound.", "Give gte, gt, lte or lt.")
        for name, bound in self.bounds():
            if bound is not None:
                object.__setattr__(self, name, _checked_bound(self.field, kind, bound))

    @property
    def is_of_moments(self) -> bool:
        """Whether the bounds are moments; else they are numbers."""
        return field_kind(self.field) == "datetime"

    def bounds(self) -> tuple[tuple[str, float | str | None], ...]:
        """Each bound by its name."""
        return (("gte", self.gte), ("gt", self.gt), ("lte", self.lte), ("lt", self.lt))


@dataclass(frozen=True, slots=True)
class And:
    """All of them hold; at least one part."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True, slots=True)
class Or:
    """One of them holds; at least one part."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    part: Filter

    def __post_init__(self) -> None:
        _check_parts(self)


Filter: TypeAlias = AnyOf | Range | And | Or | Not


def both(*parts: Filter | None) -> Filter | None:
    """All of these that there are; None if there is none."""
    there = tuple(part for part in parts if part is not None)
    return And(there) if len(there) > 1 else there[0] if there else None


def fields_of(where: Filter | None) -> Iterator[str]:
    """The fields that a filter names, once for each condition."""
    if isinstance(where, AnyOf | Range):
        yield where.field
    elif where is not None:
        for part in _parts(where):
            yield from fields_of(part)


def engine_path(field: str) -> str:
    """A field as the engines write it: the name of an attribute is quoted where it has spaces, say, or dots."""
    prefix, name = split_field(field)
    return field if not prefix or _PLAIN.fullmatch(name) else f'{prefix}"{name}"'


def field_of_path(path: str) -> str:
    """The field that an engine's path is of."""
    return path.replace('"', "")


def depth(where: Filter) -> int:
    """Levels of a filter, 1 for a single condition."""
    if isinstance(where, AnyOf | Range):
        return 1
    return 1 + max(depth(part) for part in _parts(where))


def _parts(where: And | Or | Not) -> tuple[Filter, ...]:
    return (where.part,) if isinstance(where, Not) else where.parts


def _check_parts(where: And | Or | Not) -> None:
    if not _parts(where):
        raise FilterInvalid(f"{type(where).__name__} has no parts.", "Name at least one condition.")
    if depth(where) > MAX_DEPTH:
        raise FilterInvalid(f"The filter nests {depth(where)} levels deep.", f"At most {MAX_DEPTH} are taken.")


_WORDS: Mapping[FieldKind, str] = {
    "keyword": "texts",
    "integer": "whole numbers",
    "bool": "true and false",
    "datetime": "moments",
}


def _fits(kind: FieldKind, value: object) -> bool:
    if kind == "keyword":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    return isinstance(value, int) and not isinstance(value, bool) and -_MOST <= value < _MOST


def _checked_bound(field: str, kind: FieldKind, bound: float | str) -> float | str:
    if kind == "datetime":
        return _moment(field, bound)
    if isinstance(bound, bool | str) or not math.isfinite(bound):
        raise FilterInvalid(f"{field} cannot be compared with {bound!r}.", "Give a number.")
    return bound


def _moment(field: str, bound: float | str) -> str:
    try:
        moment = datetime.fromisoformat(str(bound))
        return version_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise FilterInvalid(f"{field} cannot be compared with {bound!r}.", "Give an ISO 8601 moment.") from error
