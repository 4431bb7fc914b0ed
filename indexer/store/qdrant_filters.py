"""Filters as a Qdrant server's JSON, which its client takes for its own types."""

from __future__ import annotations

from typing import Any

from indexer.store.filters import And, AnyOf, Filter, Not, Or, Range, engine_path


def filter_json(where: Filter) -> dict[str, Any]:
    """A whole filter."""
    condition = _condition(where)
    return {"must": [condition]} if "key" in condition else condition


def _condition(where: Filter) -> dict[str, Any]:
    match where:
        case And(parts):
            return {"must": [_condition(part) for part in parts]}
        case Or(parts):
            return {"should": [_condition(part) for part in parts]}
        case Not(part):
            return {"must_not": [_condition(part)]}
        case Range(field):
            return {
                "key": engine_path(field),
                "range": {name: bound for name, bound in where.bounds() if bound is not None},
            }
        case AnyOf(field, values):
            key = engine_path(field)
            if isinstance(values[0], bool):
                # there is no list of booleans to match any of
                return {"should": [{"key": key, "match": {"value": value}} for value in values]}
            return {"key": key, "match": {"any": list(values)}}
