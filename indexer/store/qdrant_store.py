"""The one file that imports qdrant_client: the vector store on a Qdrant server or cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from indexer.errors import StoreDamaged, StoreUnavailable
from indexer.points import IMAGE_VECTOR, Point, PointPayload, StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.payload_indexes import PAYLOAD_INDEXES
from indexer.store.port import (
    Alias,
    BatchChange,
    CollectionStatus,
    Hit,
    SearchAnswer,
    SearchQuery,
    missing_alias,
)
from indexer.store.ranking import RankedPoint, by_product, rank_products
from indexer.store.tuning import IndexTuning

_PAGE = 1000
_ALIAS_SEEN_S = 1.0
_SCHEMA = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "bool": models.PayloadSchemaType.BOOL,
    "datetime": models.PayloadSchemaType.DATETIME,
}


class QdrantStore:
    """Collections on a server; writes wait until they are durable there.

    Args:
        client: connected, or qdrant-client's own ``:memory:``.
        tuning: of the approximate index.
    """

    def __init__(self, client: QdrantClient, tuning: IndexTuning) -> None:
        self._client = client
        self._tuning = tuning

    @classmethod
    def connect(cls, url: str, tuning: IndexTuning, *, api_key: str = "", timeout_s: int = 10) -> QdrantStore:
        """Connects to a server; gRPC carries the points.

        Raises:
            StoreUnavailable: it does not answer.
        """
        with _answering():
            client = QdrantClient(url=url, api_key=api_key or None, timeout=timeout_s, prefer_grpc=True)
            client.get_collections()
        return cls(client, tuning)

    def reader(self, alias: Alias) -> QdrantReader:
        """See ``VectorStore``."""
        return QdrantReader(_Connection(self._client, self._tuning), alias)

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> QdrantWriter:
        """See ``VectorStore``. A server takes many writers; point ids make their effect the same in any order."""
        return QdrantWriter(_Connection(self._client, self._tuning), alias, space, resume_of=resume_of)

    def collections(self) -> Sequence[CollectionStatus]:
        """See ``VectorStore``."""
        connection = _Connection(self._client, self._tuning)
        alias_of = {collection: alias for alias, collection in connection.aliases().items()}
        with _answering():
            names = sorted(item.name for item in self._client.get_collections().collections)
        return [connection.status(name, alias_of.get(name, "")) for name in names if connection.space(name) is not None]

    def close(self) -> None:
        """See ``VectorStore``."""
        self._client.close()


class _Connection:
    """Calls to the server in this program's types."""

    def __init__(self, client: QdrantClient, tuning: IndexTuning) -> None:
        self._client = client
        self._tuning = tuning

    def aliases(self) -> dict[str, str]:
        """Collection by alias name."""
        with _answering():
            return {item.alias_name: item.collection_name for item in self._client.get_aliases().aliases}

    def exists(self, collection: str) -> bool:
        with _answering():
            return self._client.collection_exists(collection)

    def space(self, collection: str) -> EmbeddingSpace | None:
        """The space recorded in a collection's metadata; None for a collection that is not this program's."""
        with _answering():
            metadata = self._client.get_collection(collection).config.metadata or {}
        recorded = metadata.get("space")
        return EmbeddingSpace.from_json(recorded) if isinstance(recorded, dict) else None

    def status(self, collection: str, alias: str) -> CollectionStatus:
        space = self.space(collection)
        if space is None:
            raise StoreDamaged(f"The collection {collection} does not record its embedding space.", "Index again.")
        with _answering():
            points = self._client.count(collection, exact=True).count
            info = self._client.get_collection(collection)
        indexed = min(info.indexed_vectors_count or 0, points)
        return CollectionStatus(alias, collection, space, points, indexed, f"server, {info.status.value}")

    def create(self, collection: str, space: EmbeddingSpace) -> None:
        vectors = models.VectorParams(
            size=space.dim,
            distance=models.Distance.COSINE,
            on_disk=True,
            hnsw_config=models.HnswConfigDiff(m=self._tuning.hnsw_m, ef_construct=self._tuning.hnsw_ef_construct),
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            ),
        )
        with _answering():
            self._client.create_collection(
                collection, vectors_config={IMAGE_VECTOR: vectors}, metadata={"space": space.to_json()}
            )
            for field, kind in PAYLOAD_INDEXES.items():
                self._client.create_payload_index(collection, field, field_schema=_SCHEMA[kind], wait=True)

    def point_to(self, alias: Alias, collection: str) -> None:
        """Makes the alias answer with a collection, in one atomic operation."""
        operations: list[models.AliasOperations] = []
        if alias.name in self.aliases():
            operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias.name)))
        create = models.CreateAlias(collection_name=collection, alias_name=alias.name)
        operations.append(models.CreateAliasOperation(create_alias=create))
        with _answering():
            self._client.update_collection_aliases(operations)

    def nearest(self, collection: str, query: SearchQuery, count: int) -> list[RankedPoint]:
        excluded = query.exclude_product_id
        without = models.Filter(must_not=[_any_of([excluded])]) if excluded is not None else None
        with _answering():
            found = self._client.query_points(
                collection,
                query=query.vector.tolist(),
                using=IMAGE_VECTOR,
                query_filter=without,
                limit=count,
                with_payload=["product_id", "position"],
                search_params=models.SearchParams(
                    hnsw_ef=max(self._tuning.hnsw_ef, count),
                    quantization=models.QuantizationSearchParams(rescore=True, oversampling=self._tuning.oversampling),
                ),
            ).points
        return [
            RankedPoint(UUID(str(hit.id)), hit.payload["product_id"], hit.payload["position"], hit.score)
            for hit in found
            if hit.payload
        ]

    def points(self, collection: str, ids: Sequence[UUID]) -> dict[UUID, StoredPoint]:
        with _answering():
            records = self._client.retrieve(collection, [str(item) for item in ids], with_payload=True)
        return {UUID(str(record.id)): _stored(record) for record in records}

    def vectors(self, collection: str, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        with _answering():
            records = self._client.retrieve(
                collection, [str(item) for item in ids], with_payload=False, with_vectors=[IMAGE_VECTOR]
            )
        return {UUID(str(record.id)): _image_vector(record.vector) for record in records}

    def scroll(
        self, collection: str, where: models.Filter | None, with_payload: bool | list[str]
    ) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            with _answering():
                records, offset = self._client.scroll(
                    collection, scroll_filter=where, limit=_PAGE, offset=offset, with_payload=with_payload
                )
            yield from records
            if offset is None:
                return

    def of_products(self, collection: str, product_ids: Sequence[str]) -> dict[str, tuple[StoredPoint, ...]]:
        if not product_ids:
            return {}
        where = models.Filter(must=[_any_of(product_ids)])
        return by_product([_stored(record) for record in self.scroll(collection, where, with_payload=True)])

    def write(self, collection: str, change: BatchChange) -> None:
        operations: list[Any] = []
        if change.points:
            points = [_struct(point) for point in change.points]
            operations.append(models.UpsertOperation(upsert=models.PointsList(points=points)))
        for update in change.payloads:
            overwrite = models.SetPayload(payload=update.payload.to_json(), points=[str(update.id)])
            operations.append(models.OverwritePayloadOperation(overwrite_payload=overwrite))
        if change.deletions:
            # the operations of one call take effect in their order
            selector = models.PointIdsList(points=[str(item) for item in change.deletions])
            operations.append(models.DeleteOperation(delete=selector))
        if operations:
            with _answering():
                self._client.batch_update_points(collection, operations, wait=True)

    def delete_products(self, collection: str, product_ids: Sequence[str]) -> None:
        where = models.Filter(must=[_any_of(product_ids)])
        with _answering():
            self._client.delete(collection, models.FilterSelector(filter=where), wait=True)


class QdrantReader:
    """Reads through an alias; see ``CollectionReader``."""

    def __init__(self, connection: _Connection, alias: Alias) -> None:
        self._connection = connection
        self._alias = alias
        self._seen: tuple[float, str] = (float("-inf"), "")

    def search(self, query: SearchQuery) -> SearchAnswer:
        """See ``CollectionReader``."""
        collection = self._collection()
        ranked = rank_products(
            lambda count: self._connection.nearest(collection, query, count), query.limit, query.offset
        )
        points = self._connection.points(collection, [point.id for point in ranked]) if ranked else {}
        hits = tuple(Hit(item.product_id, item.score, points[item.id]) for item in ranked if item.id in points)
        return SearchAnswer(hits, collection)

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionReader``."""
        return self._connection.of_products(self._collection(), product_ids)

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """See ``CollectionReader``."""
        return self._connection.vectors(self._collection(), ids)

    def status(self) -> CollectionStatus:
        """See ``CollectionReader``."""
        return self._connection.status(self._collection(), self._alias.name)

    def close(self) -> None:
        """See ``CollectionReader``; the connection is the store's."""

    def _collection(self) -> str:
        """The collection behind the alias, looked up at most once a second.

        The collection is queried by its own name, so that an answer comes from one collection and says which.
        """
        seen_s, collection = self._seen
        now_s = time.monotonic()
        if collection and now_s - seen_s < _ALIAS_SEEN_S:
            return collection
        aliases = self._connection.aliases()
        collection = aliases.get(self._alias.name, "")
        if not collection:
            prefix = f"{self._alias.catalog}--"
            others = [self._connection.space(name) for alias, name in aliases.items() if alias.startswith(prefix)]
            raise missing_alias(self._alias, [space for space in others if space is not None])
        self._seen = (now_s, collection)
        return collection


class QdrantWriter:
    """Writes into the alias's collection; see ``CollectionWriter``."""

    def __init__(self, connection: _Connection, alias: Alias, space: EmbeddingSpace, *, resume_of: str) -> None:
        self._connection = connection
        self._alias = alias
        self._space = space
        self._published = connection.aliases().get(alias.name, "")
        self._collection = self._published or f"{alias.name}--000001"
        self._exists = bool(self._published) or connection.exists(self._collection)
        self._continues = not resume_of or (self._exists and resume_of == self._collection)
        self._changed = False

    @property
    def collection(self) -> str:
        """See ``CollectionWriter``; empty until something was written."""
        return self._collection if self._exists else ""

    @property
    def continues(self) -> bool:
        """See ``CollectionWriter``."""
        return self._continues

    def product_points(self, product_ids: Sequence[str]) -> Mapping[str, tuple[StoredPoint, ...]]:
        """See ``CollectionWriter``."""
        return self._connection.of_products(self._collection, product_ids) if self._exists else {}

    def product_ids(self) -> Iterator[str]:
        """See ``CollectionWriter``."""
        if not self._exists:
            return
        for record in self._connection.scroll(self._collection, None, with_payload=["product_id"]):
            yield (record.payload or {})["product_id"]

    def write(self, change: BatchChange) -> None:
        """See ``CollectionWriter``."""
        if change:
            self._create_if_missing()
            self._connection.write(self._collection, change)

    def delete_products(self, product_ids: Sequence[str]) -> None:
        """See ``CollectionWriter``."""
        if product_ids and self._exists:
            self._changed = True
            self._connection.delete_products(self._collection, product_ids)

    def publish(self) -> bool:
        """See ``CollectionWriter``; the server builds its index by itself."""
        if self._exists and self._published != self._collection:
            self._connection.point_to(self._alias, self._collection)
            self._published = self._collection
        changed, self._changed = self._changed, False
        return changed

    def close(self) -> None:
        """See ``CollectionWriter``."""

    def _create_if_missing(self) -> None:
        self._changed = True
        if not self._exists:
            self._connection.create(self._collection, self._space)
            self._exists = True


def _any_of(product_ids: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key="product_id", match=models.MatchAny(any=list(product_ids)))


def _struct(point: Point) -> models.PointStruct:
    return models.PointStruct(
        id=str(point.id), vector={IMAGE_VECTOR: point.vector.tolist()}, payload=point.payload.to_json()
    )


def _stored(record: models.Record) -> StoredPoint:
    return StoredPoint(UUID(str(record.id)), PointPayload.from_json(record.payload or {}))


def _image_vector(vector: Any) -> Vectors:
    named: Mapping[str, Any] = vector
    return np.asarray(named[IMAGE_VECTOR], dtype=np.float32)


@contextmanager
def _answering() -> Iterator[None]:
    """Turns the client's connection errors into this program's."""
    try:
        yield
    except (ApiException, grpc.RpcError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise StoreUnavailable(
            f"The Qdrant server does not answer: {first}.", "Check qdrant_url, the API key and the server's state."
        ) from error
