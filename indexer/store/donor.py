"""Copying vectors: a point's id is made of product and content, so in one space its vector is the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.errors import CollectionNotFound
from indexer.points import Point
from indexer.store.port import CollectionReader


def donated_points(donor: CollectionReader | None, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:
    """Points of products as a donor has them, with their vectors.

    Args:
        donor: None, or one that was pruned meanwhile, gives none: then pictures are embedded.
        product_ids: asked for.
    """
    if donor is None:
        return {}
    try:
        stored = donor.product_points(product_ids)
        vectors = donor.vectors([point.id for points in stored.values() for point in points])
    except CollectionNotFound:
        return {}
    return {
        product_id: tuple(Point(item.id, vectors[item.id], item.payload) for item in points if item.id in vectors)
        for product_id, points in stored.items()
    }
