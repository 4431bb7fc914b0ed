"""The alternative that needs no server either: qdrant-client's local mode, which compares every vector in numpy."""

from __future__ import annotations

import time
from uuid import UUID

import numpy as np
from qdrant_client import QdrantClient, models

from benchmarks.vectors_data import MadeUpCatalog

_MOST_PICTURES = 20_000
"""What it is meant for at most; larger catalogs are measured on their first pictures."""
_QUERIES = 20


def local_mode_p50_ms(catalog: MadeUpCatalog) -> float:
    """Median latency of the ten nearest pictures; for larger catalogs that of their first 20 000 pictures.

    No payloads and no grouping, both of which would only make it slower.
    """
    client = QdrantClient(":memory:")
    try:
        client.create_collection("c", models.VectorParams(size=catalog.dim, distance=models.Distance.COSINE))
        for block in MadeUpCatalog(min(catalog.pictures, _MOST_PICTURES), catalog.dim, catalog.seed).blocks():
            ids: list[int | str | UUID] = list(range(block.first, block.first + len(block.vectors)))
            client.upsert("c", models.Batch(ids=ids, vectors=block.vectors.tolist()))
        latencies_ms = []
        for vector in catalog.photo_queries(_QUERIES):
            started_s = time.perf_counter()
            client.query_points("c", query=vector, limit=10)
            latencies_ms.append((time.perf_counter() - started_s) * 1000)
        return float(np.median(latencies_ms))
    finally:
        client.close()
