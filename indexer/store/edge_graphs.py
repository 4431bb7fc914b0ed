"""How many points of a shard are in a graph, as its files say.

The engine counts what its indexes were built from: sparse vectors too, and points that were removed since, or moved to
the segment that takes changes. It moves every point of a built segment that is changed in any way, its price too
(0.9.0). So its count would let a whole catalog fall out of the graph, and call all of it indexed. It also calls a graph
what has no edges (``edge_segments.seal``), and finds next to nothing in it.
``tests/unit/store/test_edge_graphs.py`` holds each version of the engine to these files.
"""

from __future__ import annotations

import json
from pathlib import Path

from indexer.points import IMAGE_VECTOR
from indexer.store.edge_files import GRAPHS

_VERSIONS = "id_tracker.versions"
"""Of a segment that takes no more points: 8 bytes for each that it was built from."""
_DELETED = "id_tracker.deleted"
"""A bit for each of them, set when it was removed or moved."""
_VERSION_BYTES = 8
_GRAPH_CONFIG = "hnsw_config.json"
"""Of a segment's graph, as it was built; ``m`` are its edges."""
_CONFIG = "edge_config.json"
"""Of the shard: how segments are built next."""


def points_in_graphs(shard: Path) -> int:
    """Points that a search finds through a graph; the rest is compared one by one. Exact after ``flush``.

    Args:
        shard: its folder.
    """
    return sum(_points(segment) for segment in shard.glob("segments/*") if _has_graph(segment) and _edges(segment))


def points_at_rest(shard: Path) -> int:
    """Points in segments that take no more, which are mapped from the disk; as ``points_in_graphs``."""
    return sum(_points(segment) for segment in shard.glob("segments/*"))


def is_sealed(shard: Path) -> bool:
    """Whether there are segments with a graph that has no edges, or would be after it is optimised as it stands."""
    if any(_has_graph(segment) and not _edges(segment) for segment in shard.glob("segments/*")):
        return True
    told = json.loads((shard / _CONFIG).read_bytes())
    return bool(told["vectors"][IMAGE_VECTOR]["hnsw_config"]["m"] == 0)


def _has_graph(segment: Path) -> bool:
    return any((_graph(segment) / name).exists() for name in GRAPHS)


def _edges(segment: Path) -> int:
    try:
        edges: int = json.loads((_graph(segment) / _GRAPH_CONFIG).read_bytes())["m"]
    except FileNotFoundError:
        return 0  # another process is replacing the segment
    return edges


def _graph(segment: Path) -> Path:
    return segment / f"vector_index-{IMAGE_VECTOR}"


def _points(segment: Path) -> int:
    try:
        built = (segment / _VERSIONS).stat().st_size // _VERSION_BYTES
        gone = int.from_bytes((segment / _DELETED).read_bytes()).bit_count()
    except FileNotFoundError:
        return 0  # it takes points still, or another process is replacing it
    return built - gone
