"""The vector store on a Qdrant server or cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from indexer.breaker import CircuitBreaker
from indexer.errors import StoreUnavailable
from indexer.spaces import EmbeddingSpace
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.port import Alias
from indexer.store.qdrant_aliases import PREVIOUS_SUFFIX, QdrantAliases
from indexer.store.qdrant_async_gateway import AsyncQdrantGateway
from indexer.store.qdrant_collection_questions import CollectionQuestions
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerOptions
from indexer.store.qdrant_questions import AliasQuestions
from indexer.store.qdrant_reader import AsyncQdrantReader, QdrantReader
from indexer.store.qdrant_writer import QdrantTargetWriter, QdrantWriter, check_exists
from indexer.store.queries import CollectionStatus
from indexer.store.threaded_reader import ThreadedReader


class QdrantStore:
    """Collections on a server; writes wait until they are applied there.

    Args:
        gateway: to the server.
        options: layout and limits.
    """

    def __init__(self, gateway: QdrantGateway, options: ServerOptions) -> None:
        self._gateway = gateway
        self._options = options
        self._breaker = CircuitBreaker("store", options.breaker, StoreUnavailable)

    def reader(self, alias: Alias) -> QdrantReader:
        """See ``VectorStore``."""
        return QdrantReader(self._gateway, AliasQuestions(self._gateway.calls, alias))

    def async_reader(self, alias: Alias) -> AsyncCollectionReader:
        """See ``VectorStore``."""
        if self._gateway.address is None:
            return ThreadedReader(self.reader(alias))  # qdrant-client's local mode lives in the one client
        gateway = AsyncQdrantGateway(self._gateway.address, self._options.retries, self._breaker)
        return AsyncQdrantReader(gateway, AliasQuestions(self._gateway.calls, alias))

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> QdrantWriter:
        """See ``VectorStore``. A server takes many writers; point ids make their effect the same in any order."""
        return QdrantWriter(self._gateway, alias, space, resume_of=resume_of, build_s=self._options.build_s)

    def exclusive(self) -> AbstractContextManager[None]:
        """See ``VectorStore``; a server takes many writers."""
        return nullcontext()

    def target(
        self, alias: Alias, space: EmbeddingSpace, *, collection: str = "", donor: str = ""
    ) -> QdrantTargetWriter:
        """See ``VectorStore``."""
        reader = self._named(donor) if donor else None
        return QdrantTargetWriter(
            self._gateway, alias, space, collection=collection, donor=reader, build_s=self._options.build_s
        )

    def collection_reader(self, collection: str, *, exact: bool = False) -> QdrantReader:
        """See ``VectorStore``."""
        check_exists(self._gateway, collection)
        return self._named(collection, exact=exact)

    def current(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return QdrantAliases(self._gateway, alias).current()

    def previous(self, alias: Alias) -> str:
        """See ``VectorStore``."""
        return QdrantAliases(self._gateway, alias).previous()

    def promote(self, alias: Alias, collection: str) -> None:
        """See ``VectorStore``."""
        check_exists(self._gateway, collection)
        QdrantAliases(self._gateway, alias).point_to(collection)

    def prune(self, alias: Alias, *, keep: Sequence[str] = ()) -> Sequence[str]:
        """See ``VectorStore``."""
        aliases = QdrantAliases(self._gateway, alias)
        current = aliases.current()
        if not current:
            return []
        kept = {current, aliases.previous(), *keep}
        removed = [name for name in aliases.collections() if name not in kept]
        for name in removed:
            self._gateway.drop(name)
        return removed

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """See ``VectorStore``."""
        check_exists(self._gateway, collection)
        self._gateway.annotate(collection, name, value)

    def collections(self) -> Sequence[CollectionStatus]:
        """See ``VectorStore``."""
        aliases = self._gateway.aliases().items()
        alias_of = {collection: alias for alias, collection in aliases if not alias.endswith(PREVIOUS_SUFFIX)}
        return [
            self._named(name, alias=alias_of.get(name, "")).status()
            for name in self._gateway.names()
            if self._gateway.describe(name).space is not None
        ]

    def close(self) -> None:
        """See ``VectorStore``."""
        self._gateway.close()

    def _named(self, collection: str, *, exact: bool = False, alias: str = "") -> QdrantReader:
        questions = CollectionQuestions(self._gateway.calls, collection, exact=exact, alias=alias)
        return QdrantReader(self._gateway, questions)
