"""The one file that imports qdrant_client: calls to a server as data, in this program's own types, and its clients.

Every write waits until the server has applied it, as the ledger acknowledges on the strength of it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import grpc
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException

from indexer.lexical.sparse import LEXICAL_VECTOR, SparseVector
from indexer.points import IMAGE_VECTOR, Point, PointPayload, StoredPoint, Vectors, image_vector
from indexer.spaces import EmbeddingSpace
from indexer.store.filters import TENANT_FIELD, FieldKind, Filter, engine_path, field_of_path
from indexer.store.ordering import ById, ByValue, Step
from indexer.store.port import PayloadUpdate, words_change
from indexer.store.qdrant_answers import Page, ServerCollection
from indexer.store.qdrant_conversation import Ask
from indexer.store.qdrant_filters import filter_json
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_trust import trust_of
from indexer.store.qdrant_vectors import point_vectors, sparse_json, word_vectors
from indexer.store.queries import NearestQuery
from indexer.store.ranking import RANKED_FIELDS, RankedPoint, ranked_point
from indexer.store.tuning import IndexTuning, Quantization

CLIENT_ERRORS = (ApiException, ResourceExhaustedResponse, grpc.RpcError, OSError, ValueError, AssertionError)
"""What the clients raise; they assert that an answer has what a Qdrant's has."""

_T = TypeVar("_T")
_PAGE = 1000
_ANNOTATION = "annotation_"
"""Begins the names under which annotations are kept in a collection's metadata."""
# mapped from disk, as in the embedded store: in memory they would take 0.7 kB a point, as much as the int8 vectors
_SCHEMA: Mapping[FieldKind, models.PayloadSchemaParams] = {
    "keyword": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, on_disk=True),
    "integer": models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=True, on_disk=True),
    "float": models.FloatIndexParams(type=models.FloatIndexType.FLOAT, on_disk=True),
    "bool": models.BoolIndexParams(type=models.BoolIndexType.BOOL, on_disk=True),
    "datetime": models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME, on_disk=True),
    "text": models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.MULTILINGUAL, lowercase=True, on_disk=True
    ),
}

_TENANT_SCHEMA = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True, on_disk=True)
"""The server then keeps the points of a tenant together on its disk."""


def connect(address: ServerAddress) -> QdrantClient:
    """A blocking client; it connects with the first call.

    Raises:
        ConfigurationError: the certificates cannot be read.
    """
    return _connected(QdrantClient, address)


def connect_async(address: ServerAddress) -> AsyncQdrantClient:
    """A client for one event loop; it connects with the first call."""
    return _connected(AsyncQdrantClient, address)


class QdrantCalls:
    """Calls that read or write points, and those about collections.

    Args:
        tuning: of the approximate index.
        options: layout of new collections.
    """

    def __init__(self, tuning: IndexTuning, options: ServerOptions) -> None:
        self._tuning = tuning
        self._options = options

    def aliases(self) -> Ask[dict[str, str]]:
        """Collection by alias name."""
        return Ask("get_aliases", {}, lambda found: {item.alias_name: item.collection_name for item in found.aliases})

    def set_aliases(self, wanted: Mapping[str, str], there: dict[str, str]) -> Ask[None]:
        """Makes aliases answer with collections, all in one atomic operation.

        Args:
            wanted: collection by alias name.
            there: as they are now.
        """
        operations: list[models.AliasOperations] = []
        for name, collection in wanted.items():
            if name in there:
                operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name)))
            create = models.CreateAlias(collection_name=collection, alias_name=name)
            operations.append(models.CreateAliasOperation(create_alias=create))
        return Ask("update_collection_aliases", {"change_aliases_operations": operations}, _nothing)

    def names(self) -> Ask[list[str]]:
        """All collections, by name, whoever made them."""
        return Ask("get_collections", {}, lambda found: sorted(item.name for item in found.collections))

    def exists(self, collection: str) -> Ask[bool]:
        """Whether there is a collection of that name."""
        return Ask("collection_exists", {"collection_name": collection}, bool)

    def describe(self, collection: str) -> Ask[ServerCollection]:
        """Facts about a collection; ``CollectionNotFound`` if there is none of that name."""
        return Ask("get_collection", {"collection_name": collection}, _described)

    def create(self, collection: str, space: EmbeddingSpace, purpose: str) -> Ask[None]:
        """Makes a collection; its graph is built only after ``build_index``."""
        tuning, options = self._tuning, self._options
        vectors = models.VectorParams(
            size=space.dim,
            distance=models.Distance.COSINE,
            on_disk=True,
            hnsw_config=models.HnswConfigDiff(
                m=tuning.hnsw_m,
                ef_construct=tuning.hnsw_ef_construct,
                full_scan_threshold=tuning.exact_below_kb(space.dim),
            ),
            quantization_config=_quantization(tuning.quantization),
        )
        arguments = {
            "collection_name": collection,
            "vectors_config": {IMAGE_VECTOR: vectors},
            "sparse_vectors_config": {
                LEXICAL_VECTOR: models.SparseVectorParams(
                    modifier=models.Modifier.IDF, index=models.SparseIndexParams(on_disk=True)
                )
            },
            "shard_number": options.shards or None,
            "replication_factor": options.replicas or None,
            "write_consistency_factor": options.write_consistency or None,
            "on_disk_payload": True,
            "optimizers_config": models.OptimizersConfigDiff(indexing_threshold=0),
            "metadata": {"space": space.to_json(), "purpose": purpose},
        }
        return Ask("create_collection", arguments, _nothing)

    def create_lexical_vector(self, collection: str) -> Ask[None]:
        """Makes a place for the products' words in a collection of an earlier version."""
        config = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(modifier=models.Modifier.IDF))
        arguments = {"collection_name": collection, "vector_name": LEXICAL_VECTOR, "vector_name_config": config}
        return Ask("create_vector_name", arguments | {"wait": True}, _nothing)

    def create_payload_index(self, collection: str, field: str, kind: FieldKind) -> Ask[None]:
        """Makes a field fast to filter by."""
        name, schema = engine_path(field), _TENANT_SCHEMA if field == TENANT_FIELD else _SCHEMA[kind]
        arguments = {"collection_name": collection, "field_name": name, "field_schema": schema, "wait": True}
        return Ask("create_payload_index", arguments, _nothing)

    def build_index(self, collection: str, dim: int) -> Ask[None]:
        """Lets the server build the graph and the quantized vectors; it does so beside its other work."""
        threshold = models.OptimizersConfigDiff(indexing_threshold=self._tuning.exact_below_kb(dim))
        return Ask("update_collection", {"collection_name": collection, "optimizers_config": threshold}, _nothing)

    def annotation(self, collection: str, name: str) -> Ask[Mapping[str, Any] | None]:
        """What a collection was annotated with; ``CollectionNotFound`` if there is none of that name."""

        def read(info: models.CollectionInfo) -> Mapping[str, Any] | None:
            written = (info.config.metadata or {}).get(f"{_ANNOTATION}{name}")
            value: Mapping[str, Any] | None = json.loads(written) if isinstance(written, str) else None
            return value

        return Ask("get_collection", {"collection_name": collection}, read)

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> Ask[None]:
        """Keeps something with a collection; the server merges it with what else is recorded there."""
        # as text: of nested values a server would merge the members, and gRPC would make numbers of another kind
        metadata = {f"{_ANNOTATION}{name}": json.dumps(value)}
        return Ask("update_collection", {"collection_name": collection, "metadata": metadata}, _nothing)

    def drop(self, collection: str) -> Ask[None]:
        """Deletes a collection; one that is not there is no error."""
        return Ask("delete_collection", {"collection_name": collection}, _nothing)

    def nearest(self, collection: str, query: NearestQuery, *, exact: bool = False) -> Ask[list[RankedPoint]]:
        """The nearest points, best first; with ``exact`` every vector is compared."""
        count = query.count
        params = models.SearchParams(
            hnsw_ef=max(self._tuning.hnsw_ef, count),
            exact=exact,
            quantization=models.QuantizationSearchParams(
                ignore=exact or self._tuning.quantization == "none",
                rescore=True,
                oversampling=self._tuning.oversampling,
            ),
        )
        arguments = {
            "collection_name": collection,
            "query": query.vector.tolist(),
            "using": IMAGE_VECTOR,
            "query_filter": _filter(query.where),
            "limit": count,
            "with_payload": list(RANKED_FIELDS),
            "search_params": params,
        }
        return Ask("query_points", arguments, lambda found: [_ranked(hit) for hit in found.points if hit.payload])

    def lexical(self, collection: str, terms: SparseVector, count: int, where: Filter | None) -> Ask[list[RankedPoint]]:
        """Points by the BM25 score of their words, best first; of at least one term."""
        arguments = {
            "collection_name": collection,
            "query": models.SparseVector(**sparse_json(terms)),
            "using": LEXICAL_VECTOR,
            "query_filter": _filter(where),
            "limit": count,
            "with_payload": list(RANKED_FIELDS),
        }
        return Ask("query_points", arguments, lambda found: [_ranked(hit) for hit in found.points if hit.payload])

    def facet(self, collection: str, field: str, where: Filter | None, limit: int) -> Ask[list[tuple[Any, int]]]:
        """Values of an indexed field and how many points have each, exactly; highest counts first."""
        arguments = {"collection_name": collection, "key": engine_path(field), "limit": limit, "exact": True}
        arguments["facet_filter"] = _filter(where)
        return Ask("facet", arguments, lambda found: [(hit.value, hit.count) for hit in found.hits])

    def page(self, collection: str, step: Step) -> Ask[list[StoredPoint]]:
        """A page of points in order of their ids or of a field's values."""
        arguments: dict[str, Any] = {"scroll_filter": _filter(step.where), "limit": step.count, "with_payload": True}
        if isinstance(step, ById):
            arguments["offset"] = None if step.first is None else str(step.first)
        else:
            arguments["order_by"] = _order(step)
        arguments["collection_name"] = collection
        return Ask("scroll", arguments, lambda found: [_stored(record) for record in found[0]])

    def payload_values(self, collection: str, field: str, where: Filter | None, start: object) -> Ask[Page[Any]]:
        """A page of a top-level field of every point that fulfils a filter; ``start`` as in ``of_products``."""
        arguments = _scrolled(collection, start) | {"scroll_filter": _filter(where), "with_payload": [field]}
        return Ask(
            "scroll", arguments, lambda found: Page([(item.payload or {}).get(field) for item in found[0]], found[1])
        )

    def points(self, collection: str, ids: Sequence[UUID]) -> Ask[dict[UUID, StoredPoint]]:
        """Points by id, with payload; unknown ids are left out."""
        arguments = {"collection_name": collection, "ids": _texts(ids), "with_payload": True}
        return Ask("retrieve", arguments, lambda records: {UUID(str(record.id)): _stored(record) for record in records})

    def vectors(self, collection: str, ids: Sequence[UUID]) -> Ask[dict[UUID, Vectors]]:
        """Vectors by id, float32 (D,); unknown ids are left out."""
        only_vectors = {"with_payload": False, "with_vectors": [IMAGE_VECTOR]}
        return Ask(
            "retrieve",
            {"collection_name": collection, "ids": _texts(ids)} | only_vectors,
            lambda records: {UUID(str(item.id)): image_vector(item.vector) for item in records},
        )

    def of_products(
        self, collection: str, product_ids: Sequence[str], start: object, where: Filter | None = None
    ) -> Ask[Page[StoredPoint]]:
        """A page of the points of products, in no particular order.

        Args:
            collection: whose.
            product_ids: at least one.
            start: None, or the ``next_start`` of the page before.
            where: which of them; None: all.
        """
        arguments = _scrolled(collection, start) | {
            "scroll_filter": _of_products(product_ids, where),
            "with_payload": True,
        }
        return Ask("scroll", arguments, lambda found: Page([_stored(record) for record in found[0]], found[1]))

    def product_ids(self, collection: str, start: object, where: Filter | None = None) -> Ask[Page[str]]:
        """A page of the products of all points, once for each point that fulfils a filter; ``start`` as above."""
        arguments = _scrolled(collection, start) | {"scroll_filter": _filter(where), "with_payload": ["product_id"]}
        return Ask("scroll", arguments, lambda found: Page([item.payload["product_id"] for item in found[0]], found[1]))

    def count(self, collection: str, where: Filter | None = None) -> Ask[int]:
        """Points in a collection, or those that fulfil a filter, exactly."""
        arguments = {"collection_name": collection, "count_filter": _filter(where), "exact": True}
        return Ask("count", arguments, lambda found: int(found.count))

    def count_words(self, collection: str) -> Ask[int]:
        """Points that have their product's words."""
        where = models.Filter(must=[models.HasVectorCondition(has_vector=LEXICAL_VECTOR)])
        arguments = {"collection_name": collection, "count_filter": where, "exact": True}
        return Ask("count", arguments, lambda found: int(found.count))

    def upsert(self, collection: str, points: Sequence[Point], *, words: bool = True) -> Ask[None]:
        """Inserts or replaces points; without ``words`` in a collection that has no place for them."""
        given = [
            models.PointStruct(id=str(item.id), vector=point_vectors(item, words=words), payload=item.payload.to_json())
            for item in points
        ]
        return _update(collection, [models.UpsertOperation(upsert=models.PointsList(points=given))])

    def overwrite_payloads(self, collection: str, updates: Sequence[PayloadUpdate], *, words: bool = True) -> Ask[None]:
        """Replaces the whole payload of each point, after its words where they changed; ``words`` as above."""
        due = [
            models.PointVectors(id=str(item.id), vector=word_vectors(item.payload))
            for item in updates
            if words and words_change(item)
        ]
        operations: list[object] = []
        if due:
            operations.append(models.UpdateVectorsOperation(update_vectors=models.UpdateVectors(points=due)))
        operations += [
            models.OverwritePayloadOperation(
                overwrite_payload=models.SetPayload(payload=item.payload.to_json(), points=[str(item.id)])
            )
            for item in updates
        ]
        return _update(collection, operations)

    def delete(self, collection: str, ids: Sequence[UUID]) -> Ask[None]:
        """Removes points."""
        return _update(collection, [models.DeleteOperation(delete=models.PointIdsList(points=_texts(ids)))])

    def delete_products(self, collection: str, product_ids: Sequence[str], where: Filter | None = None) -> Ask[None]:
        """Removes the points of products, all or those that fulfil a filter."""
        selected = models.FilterSelector(filter=_of_products(product_ids, where))
        return _update(collection, [models.DeleteOperation(delete=selected)])


def _quantization(kind: Quantization) -> models.QuantizationConfig | None:
    if kind == "int8":
        return models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        )
    if kind == "4bit":
        turbo = models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS4, always_ram=True)
        return models.TurboQuantization(turbo=turbo)
    return None


def _connected(kind: Callable[..., _T], address: ServerAddress) -> _T:
    trust = trust_of(address.ca_file) if address.ca_file and address.url.startswith("https:") else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return kind(
            url=address.url,
            api_key=address.api_key or None,
            timeout=address.timeout_s,
            prefer_grpc=address.prefer_grpc,
            grpc_port=address.grpc_port,
            **trust,
            check_compatibility=False,  # it warns from a thread of its own; the first call tells more
        )


def _nothing(_: object) -> None:
    """The answer says no more than that it is done."""


def _update(collection: str, operations: Sequence[object]) -> Ask[None]:
    arguments = {"collection_name": collection, "update_operations": operations, "wait": True}
    return Ask("batch_update_points", arguments, _nothing)


def _scrolled(collection: str, start: object) -> dict[str, Any]:
    return {"collection_name": collection, "limit": _PAGE, "offset": start}


def _described(info: models.CollectionInfo) -> ServerCollection:
    metadata = info.config.metadata or {}
    recorded = metadata.get("space")
    return ServerCollection(
        space=EmbeddingSpace.from_json(recorded) if isinstance(recorded, dict) else None,
        purpose=str(metadata.get("purpose", "")),
        state=info.status.value,
        indexed_points=info.indexed_vectors_count or 0,
        build_deferred=not info.config.optimizer_config.indexing_threshold,
        indexed_fields=frozenset(field_of_path(path) for path in info.payload_schema or {}),
    )


def _filter(where: Filter | None) -> models.Filter | None:
    return None if where is None else models.Filter(**filter_json(where))


def _order(step: ByValue) -> models.OrderBy:
    direction = models.Direction.DESC if step.descending else models.Direction.ASC
    return models.OrderBy(key=engine_path(step.field), direction=direction)


def _of_products(product_ids: Sequence[str], where: Filter | None) -> models.Filter:
    products = models.FieldCondition(key="product_id", match=models.MatchAny(any=list(product_ids)))
    condition = _filter(where)
    return models.Filter(must=[products] if condition is None else [products, condition])


def _texts(ids: Sequence[UUID]) -> list[Any]:
    return [str(item) for item in ids]


def _ranked(hit: models.ScoredPoint) -> RankedPoint:
    return ranked_point(UUID(str(hit.id)), hit.score, hit.payload or {})


def _stored(record: models.Record) -> StoredPoint:
    return StoredPoint(UUID(str(record.id)), PointPayload.from_json(record.payload or {}))
