"""What filters mean, in plain Python; and random ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from indexer.points import PointPayload
from indexer.store.filters import ATTRIBUTE_PREFIX, And, AnyOf, Filter, Not, Or, Range

BRANDS = ("Acme", "Bolt", "acme", "", "Ünïcode 品牌")
CATEGORIES = ((), ("Home",), ("Home", "Kitchen"), ("Home", "Kitchen", "Mugs"), ("Toys",), ("Home > Kitchen",))
NAMES = ("color", "screen size", "размер", "a.b", "x[0]")
VALUES = ("red", "blue", "15", "")
MOMENTS = ("", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z", "2025-12-31T23:59:59Z", "2026-03-01T12:00:00Z")
PRICES = (None, 0, 1, 99, 100, 101, 2**40)
STOCK = (True, False, None)


def fulfils(where: Filter | None, payload: PointPayload) -> bool:
    """Whether a payload is what a filter asks for."""
    match where:
        case None:
            return True
        case And(parts):
            return all(fulfils(part, payload) for part in parts)
        case Or(parts):
            return any(fulfils(part, payload) for part in parts)
        case Not(part):
            return not fulfils(part, payload)
        case AnyOf(field, values):
            held = {(type(value), value) for value in _held(payload, field)}
            return any((type(value), value) in held for value in values)
        case Range(field):
            return any(_within(where, held) for held in _held(payload, field))


def _held(payload: PointPayload, field: str) -> list[Any]:
    name = field.removeprefix(ATTRIBUTE_PREFIX)
    value: Any = getattr(payload, field) if name == field else payload.attributes.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _within(where: Range, held: Any) -> bool:
    if held == "":
        return False
    value = _comparable(held)
    return all(
        (
            where.gte is None or value >= _comparable(where.gte),
            where.gt is None or value > _comparable(where.gt),
            where.lte is None or value <= _comparable(where.lte),
            where.lt is None or value < _comparable(where.lt),
        )
    )


def _comparable(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


_paths = sorted({" > ".join(path[: level + 1]) for path in CATEGORIES for level in range(len(path))})
_bounds = st.sampled_from(["gte", "gt", "lte", "lt"])
_numbers = st.one_of(st.integers(-2, 102), st.floats(-2, 102, allow_nan=False), st.just(float(2**40)))
_moments = st.sampled_from([*MOMENTS[1:], "2026-01-01T01:00:00+01:00", "2026-01-01"])


def _any_of(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(lambda given: AnyOf(field, tuple(given)))


def _range(field: str, bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    return st.dictionaries(_bounds, bounds, min_size=1, max_size=2).map(lambda given: Range(field, **given))


_conditions: st.SearchStrategy[Filter] = st.one_of(
    _any_of("brand", st.sampled_from([*BRANDS, "none"])),
    _any_of("category_path", st.sampled_from([*_paths, "Kitchen"])),
    _any_of("price_minor", st.sampled_from([0, 1, 99, 100, 7, 2**40])),
    _any_of("in_stock", st.booleans()),
    _any_of("main", st.booleans()),
    _any_of("position", st.integers(0, 3)),
    _any_of("attribute_names", st.sampled_from(NAMES)),
    _any_of("identifiers", st.sampled_from(["p1", "p2", "gtin2"])),
    st.sampled_from(NAMES).flatmap(lambda name: _any_of(f"{ATTRIBUTE_PREFIX}{name}", st.sampled_from(VALUES))),
    _range("price_minor", _numbers),
    _range("position", _numbers),
    _range("updated_at", _moments),
)

FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _conditions,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)
"""Trees over every kind of field, with values that there are and such as there are not."""
