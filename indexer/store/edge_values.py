"""Conditions, orders and vectors in the embedded engine's own types."""

from __future__ import annotations

from typing import Any

import numpy as np
import qdrant_edge as edge

from indexer.lexical.sparse import SparseVector
from indexer.store.filters import And, AnyOf, FieldKind, Filter, Not, Or, Range, engine_path
from indexer.store.ordering import ByValue
from indexer.store.tuning import Quantization

# mapped from disk: by default these indexes are read into memory as a whole, which took half a gigabyte for a million
# points and seconds at each opening (docs/performance.md)
PAYLOAD_INDEX_PARAMS: dict[FieldKind, edge.PayloadSchemaParams] = {
    "keyword": edge.KeywordIndexParams(memory=edge.Memory.Cached),
    "integer": edge.IntegerIndexParams(memory=edge.Memory.Cached),
    "float": edge.FloatIndexParams(memory=edge.Memory.Cached),
    "bool": edge.BoolIndexParams(memory=edge.Memory.Cached),
    "datetime": edge.DatetimeIndexParams(memory=edge.Memory.Cached),
    "text": edge.TextIndexParams(memory=edge.Memory.Cached),
}
TENANT_INDEX_PARAMS = edge.KeywordIndexParams(memory=edge.Memory.Cached, is_tenant=True)


def engine_filter(where: Filter | None) -> edge.Filter | None:
    """A whole filter."""
    if where is None:
        return None
    condition = _condition(where)
    return condition if isinstance(condition, edge.Filter) else edge.Filter(must=[condition])


def _condition(where: Filter) -> edge.Filter | edge.FieldCondition:
    match where:
        case And(parts):
            return edge.Filter(must=[_condition(part) for part in parts])
        case Or(parts):
            return edge.Filter(should=[_condition(part) for part in parts])
        case Not(part):
            return edge.Filter(must_not=[_condition(part)])
        case Range():
            return edge.FieldCondition(key=engine_path(where.field), range=_range(where))
        case AnyOf(field, values):
            if not isinstance(values[0], bool):
                return edge.FieldCondition(key=engine_path(field), match=edge.MatchAny(list(values)))  # type: ignore[arg-type]
            # the binding takes Python's True for the integer 1, which no index of booleans has, and so finds nothing;
            # numpy's is not an integer to it (0.9.0)
            matches: list[Any] = [edge.MatchValue(np.bool_(value)) for value in values]  # type: ignore[arg-type]
            return edge.Filter(should=[edge.FieldCondition(key=engine_path(field), match=match) for match in matches])


def _range(where: Range) -> edge.RangeFloat | edge.RangeDateTime:
    bounds: dict[str, Any] = dict(where.bounds())
    return edge.RangeDateTime(**bounds) if where.is_of_moments else edge.RangeFloat(**bounds)


def engine_order(step: ByValue) -> edge.OrderBy:
    """An order by a field's values."""
    direction = edge.Direction.Desc if step.descending else edge.Direction.Asc
    return edge.OrderBy(engine_path(step.field), direction)


def sparse_vector(vector: SparseVector) -> edge.SparseVector:
    """Terms and weights as the engine has them."""
    return edge.SparseVector(list(vector.indices), list(vector.values))


def quantization_config(kind: Quantization) -> edge.QuantizationConfigType | None:
    """How the vectors that searches compare are kept."""
    if kind == "int8":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned)
    if kind == "4bit":
        return edge.TurboQuantQuantizationConfig(bits=edge.TurboQuantBitSize.Bits4, memory=edge.Memory.Pinned)
    return None
