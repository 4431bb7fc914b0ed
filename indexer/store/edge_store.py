"""The embedded vector store: Qdrant Edge shards as immutable generations on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.spaces import EmbeddingSpace
from indexer.store.edge_reader import EdgeReader
from indexer.store.edge_shard import EdgeShard
from indexer.store.edge_writer import EdgeWriter
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias, CollectionStatus
from indexer.store.tuning import IndexTuning


class EdgeStore:
    """A folder that any number of processes read and one at a time writes; no server.

    Args:
        root: created by the first writer.
        tuning: of the approximate index.
        follow_s: how often a reader looks for a new generation; 0 never.
    """

    def __init__(self, root: Path, tuning: IndexTuning, *, follow_s: float = 0.5) -> None:
        self._folders = GenerationFolders(root)
        self._tuning = tuning
        self._follow_s = follow_s
        self._readers: list[EdgeReader] = []

    def reader(self, alias: Alias) -> EdgeReader:
        """See ``VectorStore``."""
        reader = EdgeReader(self._folders, alias, self._tuning, follow_s=self._follow_s)
        self._readers.append(reader)
        return reader

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> EdgeWriter:
        """See ``VectorStore``."""
        return EdgeWriter(self._folders, alias, space, self._tuning, resume_of=resume_of)

    def collections(self) -> Sequence[CollectionStatus]:
        """See ``VectorStore``."""
        alias_of = {collection: alias for alias, collection in self._folders.aliases().items()}
        return [self._status(name, alias_of.get(name, "")) for name in self._folders.names()]

    def close(self) -> None:
        """See ``VectorStore``."""
        for reader in self._readers:
            reader.close()

    def _status(self, collection: str, alias: str) -> CollectionStatus:
        record = self._folders.record(collection)
        folder = self._folders.folder(collection)
        shard = EdgeShard.open(self._folders.shard(collection), self._tuning)
        try:
            detail = f"{folder}{'' if record.published or alias else ' (being written)'}"
            return CollectionStatus(alias, collection, record.space, shard.count(), shard.indexed_count(), detail)
        finally:
            shard.close()
