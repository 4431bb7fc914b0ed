"""How many points of a shard are in a graph, as its files say.

The engine counts what its indexes were built from: sparse vectors too, and points that were removed since, or moved to
the segment that takes changes. It moves every point of a built segment that is changed in any way, its price too
(0.9.0). So its count would let a whole catalog fall out of the graph, and call all of it indexed.
``tests/unit/store/test_edge_graphs.py`` holds each version of the engine to these files.
"""

from __future__ import annotations

from pathlib import Path

from indexer.points import IMAGE_VECTOR
from indexer.store.edge_files import GRAPHS

_VERSIONS = "id_tracker.versions"
"""Of a segment that takes no more points: 8 bytes for each that it was built from."""
_DELETED = "id_tracker.deleted"
"""A bit for each of them, set when it was removed or moved."""
_VERSION_BYTES = 8


def points_in_graphs(shard: Path) -> int:
    """Points that a search finds through a graph; the rest is compared one by one. Exact after ``flush``.

    Args:
        shard: its folder.
    """
    return sum(_points(segment) for segment in shard.glob("segments/*") if _has_graph(segment))


def _has_graph(segment: Path) -> bool:
    return any((segment / f"vector_index-{IMAGE_VECTOR}" / name).exists() for name in GRAPHS)


def _points(segment: Path) -> int:
    try:
        built = (segment / _VERSIONS).stat().st_size // _VERSION_BYTES
        gone = int.from_bytes((segment / _DELETED).read_bytes()).bit_count()
    except FileNotFoundError:
        return 0  # another process is replacing the segment
    return built - gone
