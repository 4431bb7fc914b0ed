"""How a shard's points lie in segments: sealed while a collection is filled, with a graph once it is searched.

What the engine needs of points that were just written, it keeps in memory: ids, words, values of payload indexes. Of a
segment that takes no more points it maps all that from the disk. Both steps hold the interpreter all the while, so they
are taken in a process of their own (``edge_optimizer``).
"""

from __future__ import annotations

from pathlib import Path

import qdrant_edge as edge

from indexer.errors import StoreUnavailable
from indexer.lexical.sparse import LEXICAL_VECTOR
from indexer.points import IMAGE_VECTOR
from indexer.store.edge_graphs import is_sealed
from indexer.store.edge_values import quantization_config
from indexer.store.tuning import IndexTuning

_NEVER_MERGED = 100_000
"""Segments that there may be; more than there ever are."""
_NO_LIMIT_KB = 2**40
_LEAST_KB = 1
"""The engine's unit of sizes, of which 0 means something else."""


def shard_config(dim: int, tuning: IndexTuning, *, in_one: bool = False) -> edge.EdgeConfig:
    """Of a shard whose points are searched.

    Args:
        dim: of its vectors.
        tuning: of the approximate index.
        in_one: whether all its points are brought into one segment when it is optimised next. Left alone, the engine
            makes several of a million points (of 160 000, with 768 dimensions), and a search takes twice as long.
    """
    hnsw = edge.HnswIndexConfig(
        m=tuning.hnsw_m,
        ef_construct=tuning.hnsw_ef_construct,
        full_scan_threshold=tuning.exact_below_kb(dim),
    )
    optimizers = edge.EdgeOptimizersConfig(
        indexing_threshold=tuning.exact_below_kb(dim),
        default_segment_number=1 if in_one else None,
        max_segment_size=_NO_LIMIT_KB if in_one else None,
    )
    return _config(dim, quantization_config(tuning.quantization), hnsw, optimizers)


def sealing_config(dim: int, tuning: IndexTuning) -> edge.EdgeConfig:
    """Of a shard whose points are to be put out of memory quickly, to be searched later.

    Optimised with it, points go into a segment of their own that is only mapped, beside others that stay as they are.
    It has a graph without edges and no quantized vectors, which cost most of the time.
    """
    no_edges = edge.HnswIndexConfig(
        m=0,
        payload_m=0,
        ef_construct=tuning.hnsw_ef_construct,
        full_scan_threshold=tuning.exact_below_kb(dim),
    )
    optimizers = edge.EdgeOptimizersConfig(
        indexing_threshold=_LEAST_KB, default_segment_number=_NEVER_MERGED, max_segment_size=_LEAST_KB
    )
    return _config(dim, None, no_edges, optimizers)


def _config(
    dim: int,
    quantization: edge.QuantizationConfigType | None,
    hnsw: edge.HnswIndexConfig,
    optimizers: edge.EdgeOptimizersConfig,
) -> edge.EdgeConfig:
    vectors = edge.EdgeVectorParams(
        size=dim,
        distance=edge.Distance.Cosine,
        memory=edge.Memory.Cold,
        quantization_config=quantization,
        hnsw_config=hnsw,
    )
    return edge.EdgeConfig(
        vectors={IMAGE_VECTOR: vectors},
        sparse_vectors={
            LEXICAL_VECTOR: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf, memory=edge.Memory.Cached)
        },
        hnsw_config=hnsw,  # the engine keeps one of the shard too, and would keep an earlier one
        optimizers=optimizers,
        wal_enabled=False,
    )


def seal(folder: Path, dim: int, tuning: IndexTuning) -> None:
    """Takes the points of a shard out of memory, into a segment that is only mapped; durable when this returns.

    They have no graph until ``optimize``. Nobody else may have the shard open.
    """
    _optimize(edge.EdgeShard.load(str(folder), sealing_config(dim, tuning)))


def optimize(folder: Path, dim: int, tuning: IndexTuning) -> None:
    """Builds graph and quantized vectors of a shard that nobody else has open; durable when this returns.

    One that was never sealed keeps the configuration that it was made with.

    Raises:
        StoreUnavailable: segments that were sealed are still without a graph.
    """
    if not is_sealed(folder):
        _optimize(edge.EdgeShard.load(str(folder)))
        return
    _optimize(edge.EdgeShard.load(str(folder), shard_config(dim, tuning, in_one=True)))
    edge.EdgeShard.load(str(folder), shard_config(dim, tuning)).close()
    if is_sealed(folder):
        raise StoreUnavailable(f"The engine left sealed segments in {folder} without a graph.")


def _optimize(shard: edge.EdgeShard) -> None:
    shard.optimize()
    shard.flush()
    shard.close()
