"""The one file that imports qdrant_client: a Qdrant server's calls in this program's own types.

Every call has a timeout (the client's) and is tried again within bounds (``retries``); every write waits until the
server has applied it, as the ledger acknowledges on the strength of it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import grpc
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException

from indexer.errors import VitrineError
from indexer.points import IMAGE_VECTOR, Point, PointPayload, StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.payload_indexes import SERVER_PAYLOAD_INDEXES, FieldKind
from indexer.store.port import PayloadUpdate, SearchQuery
from indexer.store.qdrant_failures import judged, store_error
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.ranking import RankedPoint
from indexer.store.retries import RetryPolicy, with_retries
from indexer.store.tuning import IndexTuning

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_PAGE = 1000
_BYTES_PER_KB = 1024
_FLOAT32_BYTES = 4
_SCHEMA: Mapping[FieldKind, models.PayloadSchemaType | models.TextIndexParams] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
    "datetime": models.PayloadSchemaType.DATETIME,
    "text": models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.MULTILINGUAL, lowercase=True
    ),
}


@dataclass(frozen=True, slots=True)
class ServerCollection:
    """What a server knows of a collection.

    Attributes:
        space: recorded when it was made; None for a collection that is not this program's.
        purpose: recorded when it was made.
        state: the server's word: green, yellow (building), grey, red.
        indexed_points: in the HNSW graph, at most the number of points.
        build_deferred: whether no graph is built yet, for a faster upload.
    """

    space: EmbeddingSpace | None
    purpose: str
    state: str
    indexed_points: int
    build_deferred: bool


class QdrantGateway:
    """Calls to a server; safe to use from several threads.

    Args:
        client: connected, or qdrant-client's own ``:memory:``.
        tuning: of the approximate index.
        options: retries and layout.
    """

    def __init__(self, client: QdrantClient, tuning: IndexTuning, options: ServerOptions) -> None:
        self._client = client
        self._tuning = tuning
        self._options = options

    @classmethod
    def connect(cls, address: ServerAddress, tuning: IndexTuning, options: ServerOptions) -> QdrantGateway:
        """Connects, and asks once whether anybody is there.

        Raises:
            StoreUnavailable: the server does not answer.
            StoreRefused: it does not take the key.
        """
        if address.api_key and not address.url.startswith("https:"):
            _log.warning("The key of %s is sent unencrypted; use an https address.", address.url)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
            client = QdrantClient(
                url=address.url,
                api_key=address.api_key or None,
                timeout=address.timeout_s,
                prefer_grpc=address.prefer_grpc,
                grpc_port=address.grpc_port,
                check_compatibility=False,  # it warns from a thread of its own; the call below tells more
            )
        try:
            _tried(client.get_collections, RetryPolicy(patience_s=0))
        except VitrineError:
            client.close()
            raise
        return cls(client, tuning, options)

    def close(self) -> None:
        """Releases the connections."""
        self._client.close()

    def aliases(self) -> dict[str, str]:
        """Collection by alias name."""
        found = self._call(self._client.get_aliases).aliases
        return {item.alias_name: item.collection_name for item in found}

    def set_aliases(self, wanted: Mapping[str, str]) -> None:
        """Makes aliases answer with collections, all in one atomic operation.

        Args:
            wanted: collection by alias name.
        """

        def switch() -> None:
            there = {item.alias_name for item in self._client.get_aliases().aliases}
            operations: list[models.AliasOperations] = []
            for name, collection in wanted.items():
                if name in there:
                    operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name)))
                create = models.CreateAlias(collection_name=collection, alias_name=name)
                operations.append(models.CreateAliasOperation(create_alias=create))
            self._client.update_collection_aliases(operations)

        self._call(switch)

    def names(self) -> list[str]:
        """All collections, by name, whoever made them."""
        return sorted(item.name for item in self._call(self._client.get_collections).collections)

    def describe(self, collection: str) -> ServerCollection:
        """Facts about a collection.

        Raises:
            CollectionNotFound: there is none of that name.
        """
        info = self._call(lambda: self._client.get_collection(collection))
        metadata = info.config.metadata or {}
        recorded = metadata.get("space")
        return ServerCollection(
            space=EmbeddingSpace.from_json(recorded) if isinstance(recorded, dict) else None,
            purpose=str(metadata.get("purpose", "")),
            state=info.status.value,
            indexed_points=info.indexed_vectors_count or 0,
            build_deferred=not info.config.optimizer_config.indexing_threshold,
        )

    def create(self, collection: str, space: EmbeddingSpace, purpose: str) -> None:
        """Makes a collection with its payload indexes; its graph is built only after ``build_index``."""
        tuning, options = self._tuning, self._options
        vectors = models.VectorParams(
            size=space.dim,
            distance=models.Distance.COSINE,
            on_disk=True,
            hnsw_config=models.HnswConfigDiff(
                m=tuning.hnsw_m,
                ef_construct=tuning.hnsw_ef_construct,
                full_scan_threshold=_kilobytes(tuning.exact_below, space.dim),
            ),
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            ),
        )

        def create() -> None:
            if self._client.collection_exists(collection):
                return  # made by a try whose answer was lost
            self._client.create_collection(
                collection,
                vectors_config={IMAGE_VECTOR: vectors},
                shard_number=options.shards or None,
                replication_factor=options.replicas or None,
                write_consistency_factor=options.write_consistency or None,
                on_disk_payload=True,
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
                metadata={"space": space.to_json(), "purpose": purpose},
            )

        self._call(create)
        self._create_payload_indexes(collection)

    def _create_payload_indexes(self, collection: str) -> None:
        def create(field: str, kind: FieldKind) -> None:
            self._call(
                lambda: self._client.create_payload_index(collection, field, field_schema=_SCHEMA[kind], wait=True)
            )

        for field, kind in SERVER_PAYLOAD_INDEXES.items():
            create(field, kind)

    def build_index(self, collection: str, dim: int) -> None:
        """Lets the server build the graph and the quantized vectors; it does so beside its other work."""
        threshold = models.OptimizersConfigDiff(indexing_threshold=_kilobytes(self._tuning.exact_below, dim))
        self._call(lambda: self._client.update_collection(collection, optimizers_config=threshold))

    def drop(self, collection: str) -> None:
        """Deletes a collection; one that is not there is no error."""
        self._call(lambda: self._client.delete_collection(collection))

    def nearest(self, collection: str, query: SearchQuery, count: int, *, exact: bool = False) -> list[RankedPoint]:
        """The ``count`` nearest points, best first; with ``exact`` every vector is compared."""
        excluded = query.exclude_product_id
        without = models.Filter(must_not=[_any_of([excluded])]) if excluded is not None else None
        params = models.SearchParams(
            hnsw_ef=max(self._tuning.hnsw_ef, count),
            exact=exact,
            quantization=models.QuantizationSearchParams(
                ignore=exact, rescore=True, oversampling=self._tuning.oversampling
            ),
        )
        found = self._call(
            lambda: self._client.query_points(
                collection,
                query=query.vector.tolist(),
                using=IMAGE_VECTOR,
                query_filter=without,
                limit=count,
                with_payload=["product_id", "position"],
                search_params=params,
            )
        ).points
        return [
            RankedPoint(UUID(str(hit.id)), hit.payload["product_id"], hit.payload["position"], hit.score)
            for hit in found
            if hit.payload
        ]

    def points(self, collection: str, ids: Sequence[UUID]) -> dict[UUID, StoredPoint]:
        """Points by id, with payload; unknown ids are left out."""
        records = self._call(lambda: self._client.retrieve(collection, _texts(ids), with_payload=True))
        return {UUID(str(record.id)): _stored(record) for record in records}

    def vectors(self, collection: str, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        """Vectors by id, float32 (D,); unknown ids are left out."""
        records = self._call(
            lambda: self._client.retrieve(collection, _texts(ids), with_payload=False, with_vectors=[IMAGE_VECTOR])
        )
        return {UUID(str(record.id)): _image_vector(record.vector) for record in records}

    def of_products(self, collection: str, product_ids: Sequence[str]) -> list[StoredPoint]:
        """All points of products, in no particular order."""
        if not product_ids:
            return []
        where = models.Filter(must=[_any_of(product_ids)])
        return [_stored(record) for record in self._scroll(collection, where, with_payload=True)]

    def product_ids(self, collection: str) -> Iterator[str]:
        """The product of every point."""
        for record in self._scroll(collection, None, with_payload=["product_id"]):
            yield (record.payload or {})["product_id"]

    def count(self, collection: str) -> int:
        """Points in a collection."""
        return self._call(lambda: self._client.count(collection, exact=True)).count

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Inserts or replaces points."""
        for part in _parts(points, self._options.upsert_points):
            given = [
                models.PointStruct(
                    id=str(item.id), vector={IMAGE_VECTOR: item.vector.tolist()}, payload=item.payload.to_json()
                )
                for item in part
            ]
            self._update(collection, [models.UpsertOperation(upsert=models.PointsList(points=given))])

    def overwrite_payloads(self, collection: str, updates: Sequence[PayloadUpdate]) -> None:
        """Replaces the whole payload of each point."""
        for part in _parts(updates, self._options.upsert_points):
            operations: list[Any] = [
                models.OverwritePayloadOperation(
                    overwrite_payload=models.SetPayload(payload=item.payload.to_json(), points=[str(item.id)])
                )
                for item in part
            ]
            self._update(collection, operations)

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Removes points."""
        self._update(collection, [models.DeleteOperation(delete=models.PointIdsList(points=_texts(ids)))])

    def delete_products(self, collection: str, product_ids: Sequence[str]) -> None:
        """Removes all points of products."""
        where = models.FilterSelector(filter=models.Filter(must=[_any_of(product_ids)]))
        self._update(collection, [models.DeleteOperation(delete=where)])

    def _update(self, collection: str, operations: list[Any]) -> None:
        self._call(lambda: self._client.batch_update_points(collection, operations, wait=True))

    def _scroll(
        self, collection: str, where: models.Filter | None, with_payload: bool | list[str]
    ) -> Iterator[models.Record]:
        def page(start: Any) -> tuple[list[models.Record], Any]:
            return self._call(
                lambda: self._client.scroll(
                    collection, scroll_filter=where, limit=_PAGE, offset=start, with_payload=with_payload
                )
            )

        records, offset = page(None)
        yield from records
        while offset is not None:
            records, offset = page(offset)
            yield from records

    def _call(self, action: Callable[[], _T]) -> _T:
        return _tried(action, self._options.retries)


def _any_of(product_ids: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key="product_id", match=models.MatchAny(any=list(product_ids)))


def _texts(ids: Sequence[UUID]) -> list[Any]:
    return [str(item) for item in ids]


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _stored(record: models.Record) -> StoredPoint:
    return StoredPoint(UUID(str(record.id)), PointPayload.from_json(record.payload or {}))


def _image_vector(vector: Any) -> Vectors:
    named: Mapping[str, Any] = vector
    return np.asarray(named[IMAGE_VECTOR], dtype=np.float32)


def _kilobytes(vectors: int, dim: int) -> int:
    return max(1, vectors * dim * _FLOAT32_BYTES // _BYTES_PER_KB)


def _tried(action: Callable[[], _T], retries: RetryPolicy) -> _T:
    """A call's answer; what the client raises becomes one of this program's errors."""
    try:
        return with_retries(action, retries, judged)
    # the client asserts that an answer has what a Qdrant's has
    except (ApiException, ResourceExhaustedResponse, grpc.RpcError, OSError, ValueError, AssertionError) as error:
        raise store_error(error) from error
