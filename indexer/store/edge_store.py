"""The embedded vector store: Qdrant Edge shards as immutable generations on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.errors import CollectionNotFound
from indexer.spaces import EmbeddingSpace
from indexer.store.edge_reader import EdgeCollectionReader, EdgeReader
from indexer.store.edge_shard import EdgeShard
from indexer.store.edge_target import EdgeTargetWriter
from indexer.store.edge_writer import EdgeWriter
from indexer.store.generations import GenerationFolders
from indexer.store.port import Alias
from indexer.store.queries import CollectionStatus
from indexer.store.threaded_reader import ThreadedReader
from indexer.store.tuning import IndexTuning
from indexer.store.writer_lock import WriterLock


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
        self._held = False

    def reader(self, alias: Alias) -> EdgeReader:
        """See ``VectorStore``."""
        reader = EdgeReader(self._folders, alias, self._tuning, follow_s=self._follow_s)
        self._readers.append(reader)
        return reader

    def async_reader(self, alias: Alias) -> ThreadedReader:
        """See ``VectorStore``; the engine blocks, and holds the interpreter while it searches."""
        reader = self.reader(alias)
        return ThreadedReader(reader, lambda: reader.is_open)

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> EdgeWriter:
        """See ``VectorStore``."""
        return EdgeWriter(self._folders, alias, space, tuning=self._tuning, lock=self._locked(), resume_of=resume_of)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See ``VectorStore``."""
        with self._locked():
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def target(self, alias: Alias, space: EmbeddingSpace, *, collection: str = "", donor: str = "") -> EdgeTargetWriter:
        """See ``VectorStore``."""
        lock = self._locked()
        try:
            if collection:
                self._check_exists(collection)
            else:
                self._folders.remove_begun(alias)
            given = donor in self._folders.names()
            return EdgeTargetWriter(
                self._folders,
                collection or self._folders.next_name(alias),
                space,
                tuning=self._tuning,
                lock=lock,
                donor=self.collection_reader(donor) if given else None,
            )
        except BaseException:
            lock.release()
            raise

    def collection_reader(self, collection: str, *, exact: bool = False) -> EdgeCollectionReader:
        """See ``VectorStore``."""
        self._check_exists(collection)
        return EdgeCollectionReader(self._folders, collection, self._tuning, exact=exact)

    def current(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return self._folders.current(alias)

    def previous(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return self._folders.previous(alias)

    def promote(self, alias: Alias, collection: str) -> None:
        """See ``VectorStore``."""
        with self._locked():
            self._check_exists(collection)
            if self._folders.record(collection).points is None:
                raise CollectionNotFound(
                    f"The collection {collection} is not finished.", "Run the command that was filling it again."
                )
            self._folders.promote(alias, collection)

    def prune(self, alias: Alias, *, keep: Sequence[str] = ()) -> Sequence[str]:
        """See ``VectorStore``; searches that are in a deleted generation end in it."""
        with self._locked():
            return self._folders.prune(alias, keep=keep)

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """See ``VectorStore``; no lock is taken, as no shard is written to."""
        self._check_exists(collection)
        self._folders.annotate(collection, name, value)

    def collections(self) -> Sequence[CollectionStatus]:
        """See ``VectorStore``."""
        alias_of = {collection: alias for alias, collection in self._folders.aliases().items()}
        return [self._status(name, alias_of.get(name, "")) for name in self._folders.names()]

    def close(self) -> None:
        """See ``VectorStore``."""
        for reader in self._readers:
            reader.close()

    def _locked(self) -> WriterLock:
        return WriterLock(None if self._held else self._folders.root)

    def _check_exists(self, collection: str) -> None:
        if collection not in self._folders.names():
            raise CollectionNotFound(f"There is no collection {collection}.", "python -m indexer status lists them.")

    def _status(self, collection: str, alias: str) -> CollectionStatus:
        record = self._folders.record(collection)
        folder = self._folders.folder(collection)
        shard = EdgeShard.open(self._folders.shard(collection), self._tuning)
        try:
            detail = f"{folder}{'' if record.published or alias else ' (being written)'}"
            return CollectionStatus(alias, collection, record.space, shard.count(), shard.indexed_count(), detail)
        finally:
            shard.close()
