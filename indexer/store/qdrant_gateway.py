"""The blocking client of a Qdrant server: carries out calls, each with a timeout (the client's) and bounded retries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from indexer.errors import CollectionNotFound, StoreRefused, VitrineError
from indexer.lexical.sparse import LEXICAL_VECTOR
from indexer.points import Point
from indexer.spaces import EmbeddingSpace
from indexer.store.filters import Filter
from indexer.store.payload_indexes import SERVER_PAYLOAD_INDEXES, attribute_indexes, tenant_indexes
from indexer.store.port import PayloadUpdate
from indexer.store.qdrant_answers import ServerCollection
from indexer.store.qdrant_calls import CLIENT_ERRORS, QdrantCalls, connect
from indexer.store.qdrant_conversation import Ask, Conversation, begin, go_on, go_on_after
from indexer.store.qdrant_failures import judged, lacks_vector, store_error
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.retries import RetryPolicy, with_retries
from indexer.store.tuning import IndexTuning

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class QdrantGateway:
    """Calls to a server; safe to use from several threads.

    Args:
        client: connected, or qdrant-client's own ``:memory:``.
        tuning: of the approximate index.
        options: retries and layout.
        address: of the server; None for ``:memory:``.

    Attributes:
        calls: as data.
        address: as given.
    """

    def __init__(
        self, client: Any, tuning: IndexTuning, options: ServerOptions, address: ServerAddress | None = None
    ) -> None:
        self._client = client
        self._options = options
        self._wordless: set[str] = set()
        self._own_indexes = attribute_indexes(tuning.facet_attributes) | tenant_indexes(tenants=tuning.tenants)
        self.calls = QdrantCalls(tuning, options)
        self.address = address

    @classmethod
    def connect(cls, address: ServerAddress, tuning: IndexTuning, options: ServerOptions) -> QdrantGateway:
        """Connects, and asks once whether anybody is there.

        Raises:
            StoreUnavailable: the server does not answer.
            StoreRefused: it does not take the key.
        """
        if address.api_key and not address.url.startswith("https:"):
            _log.warning("The key of %s is sent unencrypted; use an https address.", address.url)
        gateway = cls(connect(address), tuning, options, address)
        try:
            gateway._tried(gateway.calls.names(), RetryPolicy(patience_s=0))
        except VitrineError:
            gateway.close()
            raise
        return gateway

    def close(self) -> None:
        """Releases the connections."""
        self._client.close()

    def converse(self, conversation: Conversation[_T]) -> _T:
        """What a conversation comes to.

        Raises:
            StoreError: a call failed.
        """
        turn = begin(conversation)
        while turn.ask is not None:
            try:
                answer = self.answer(turn.ask)
            except VitrineError as error:
                turn = go_on_after(conversation, error)
            else:
                turn = go_on(conversation, answer)
        return turn.result  # type: ignore[return-value]

    def answer(self, ask: Ask[_T]) -> _T:
        """The answer to one call.

        Raises:
            StoreError: it failed.
        """
        return self._tried(ask, self._options.retries)

    def aliases(self) -> dict[str, str]:
        """Collection by alias name."""
        return self.answer(self.calls.aliases())

    def set_aliases(self, wanted: Mapping[str, str]) -> None:
        """Makes aliases answer with collections, all in one atomic operation.

        Args:
            wanted: collection by alias name.
        """
        # again as a whole: a try whose answer was lost may have changed which aliases there are
        self._insist(lambda: self._once(self.calls.set_aliases(wanted, self._once(self.calls.aliases()))))

    def names(self) -> list[str]:
        """All collections, by name, whoever made them."""
        return self.answer(self.calls.names())

    def describe(self, collection: str) -> ServerCollection:
        """Facts about a collection.

        Raises:
            CollectionNotFound: there is none of that name.
        """
        return self.answer(self.calls.describe(collection))

    def create(self, collection: str, space: EmbeddingSpace, purpose: str) -> None:
        """Makes a collection with its payload indexes; its graph is built only after ``build_index``."""

        def create() -> None:
            if not self._once(self.calls.exists(collection)):  # else made by a try whose answer was lost
                self._once(self.calls.create(collection, space, purpose))

        self._insist(create)
        self._create_indexes(collection, frozenset())

    def create_missing_indexes(self, collection: str) -> None:
        """Makes the payload indexes that a collection of an earlier version or setting has not."""
        self._create_indexes(collection, self.describe(collection).indexed_fields)

    def _create_indexes(self, collection: str, there: Collection[str]) -> None:
        for field, kind in (SERVER_PAYLOAD_INDEXES | self._own_indexes).items():
            if field not in there:
                self.answer(self.calls.create_payload_index(collection, field, kind))

    def build_index(self, collection: str, dim: int) -> None:
        """Lets the server build the graph and the quantized vectors; it does so beside its other work."""
        self.answer(self.calls.build_index(collection, dim))

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """Keeps something with a collection; see ``VectorStore.annotate``."""
        self.answer(self.calls.annotate(collection, name, value))

    def drop(self, collection: str) -> None:
        """Deletes a collection; one that is not there is no error."""
        self.answer(self.calls.drop(collection))

    def product_ids(self, collection: str, where: Filter | None = None) -> Iterator[str]:
        """The product of every point, or of those that fulfil a filter, once for each point."""
        page = self.answer(self.calls.product_ids(collection, None, where))
        yield from page.items
        while page.next_start is not None:
            page = self.answer(self.calls.product_ids(collection, page.next_start, where))
            yield from page.items

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Inserts or replaces points."""
        for part in self._parts(points):
            self._write_words(collection, partial(self.calls.upsert, collection, part))

    def overwrite_payloads(self, collection: str, updates: Sequence[PayloadUpdate]) -> None:
        """Replaces the whole payload of each point, and its words where they changed."""
        for part in self._parts(updates):
            self._write_words(collection, partial(self.calls.overwrite_payloads, collection, part))

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Removes points."""
        self.answer(self.calls.delete(collection, ids))

    def delete_products(self, collection: str, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """Removes the points of products, all or those that fulfil a filter."""
        self.answer(self.calls.delete_products(collection, product_ids, where))

    def _write_words(self, collection: str, call: Callable[..., Ask[None]]) -> None:
        """Writes points with their words; a collection of an earlier version is given a place for them first.

        Where the server cannot do that, points are written without, and readers say so.
        """
        if collection in self._wordless:
            self.answer(call(words=False))
            return
        try:
            self.answer(call(words=True))
        except StoreRefused as error:
            if not lacks_vector(error, LEXICAL_VECTOR):
                raise
            self._make_place_for_words(collection)
            self.answer(call(words=collection not in self._wordless))

    def _make_place_for_words(self, collection: str) -> None:
        try:
            self.answer(self.calls.create_lexical_vector(collection))
        except (StoreRefused, CollectionNotFound) as error:  # a server that does not know the call has no such page
            _log.warning("The words of products are not indexed in %s: %s", collection, error.reason)
            self._wordless.add(collection)

    def _parts(self, items: Sequence[_T]) -> Iterator[Sequence[_T]]:
        size = self._options.upsert_points
        for start in range(0, len(items), size):
            yield items[start : start + size]

    def _once(self, ask: Ask[_T]) -> _T:
        return ask.read(getattr(self._client, ask.method)(**ask.arguments))

    def _tried(self, ask: Ask[_T], retries: RetryPolicy) -> _T:
        return self._insist(lambda: self._once(ask), retries)

    def _insist(self, action: Callable[[], _T], retries: RetryPolicy | None = None) -> _T:
        """What an action comes to; what the client raises becomes one of this program's errors."""
        try:
            return with_retries(action, retries or self._options.retries, judged)
        except CLIENT_ERRORS as error:
            raise store_error(error) from error
