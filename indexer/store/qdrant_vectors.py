"""Vectors as a Qdrant server's JSON, which its client takes for its own types."""

from __future__ import annotations

from typing import Any

from indexer.lexical.sparse import LEXICAL_VECTOR, SparseVector, product_vector
from indexer.points import IMAGE_VECTOR, Point, PointPayload


def point_vectors(point: Point, *, words: bool) -> dict[str, Any]:
    """All vectors of a point: its picture's and, of a main one, its product's words."""
    vectors: dict[str, Any] = {IMAGE_VECTOR: point.vector.tolist()}
    return vectors | word_vectors(point.payload) if words and point.payload.main else vectors


def word_vectors(payload: PointPayload) -> dict[str, Any]:
    """The vector of a product's words alone."""
    return {LEXICAL_VECTOR: sparse_json(product_vector(payload))}


def sparse_json(vector: SparseVector) -> dict[str, Any]:
    """Terms and weights."""
    return {"indices": list(vector.indices), "values": list(vector.values)}
