"""Vector stores of each kind, for tests that hold them all to the same."""

from __future__ import annotations

from pathlib import Path

from qdrant_client import QdrantClient

from indexer.points import Point
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, BatchChange, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.tuning import IndexTuning
from tests.points import made_up_space
from tests.qdrant_server import REAL_URL


def opened_store(kind: str, folder: Path, url: str, tuning: IndexTuning) -> VectorStore:
    """An empty store.

    Args:
        kind: ``edge``, ``memory`` (qdrant-client's own), or ``server``.
        folder: of an embedded store.
        url: of a server, or of the stand-in.
        tuning: of its collections.
    """
    options = ServerOptions()
    if kind == "edge":
        return EdgeStore(folder / "store", tuning, follow_s=0)
    if kind == "memory":
        return QdrantStore(QdrantGateway(QdrantClient(":memory:"), tuning, options), options)
    address = ServerAddress(url, prefer_grpc=bool(REAL_URL))
    return QdrantStore(QdrantGateway.connect(address, tuning, options), options)


def publish(store: VectorStore, alias: Alias, *points: Point) -> str:
    """Writes points of ``made_up_space()`` in a run of their own, and returns the collection."""
    writer = store.writer(alias, made_up_space())
    try:
        writer.write(BatchChange(points=points))
        collection = writer.collection
        writer.publish()
    finally:
        writer.close()
    return collection
