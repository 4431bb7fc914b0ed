"""A shard on disk, in this program's own types.

With ``edge_values`` and ``edge_segments``, what it is asked in and how it is laid out, it alone imports qdrant_edge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from indexer.errors import StoreDamaged, StoreError, StoreUnavailable
from indexer.lexical.sparse import LEXICAL_VECTOR, SparseVector, product_vector
from indexer.points import IMAGE_VECTOR, Point, PointPayload, StoredPoint, Vectors, image_vector
from indexer.store.disk_room import check_room
from indexer.store.edge_failures import REMEDIES, engine
from indexer.store.edge_graphs import is_sealed, points_at_rest, points_in_graphs
from indexer.store.edge_segments import shard_config
from indexer.store.edge_values import (
    PAYLOAD_INDEX_PARAMS,
    TENANT_INDEX_PARAMS,
    engine_filter,
    engine_order,
    sparse_vector,
)
from indexer.store.filters import TENANT_FIELD, Filter, engine_path, field_of_path
from indexer.store.ordering import ById, ByValue, Step
from indexer.store.payload_indexes import PAYLOAD_INDEXES, attribute_indexes, tenant_indexes
from indexer.store.port import BatchChange, PayloadUpdate, words_change
from indexer.store.ranking import RANKED_FIELDS, RankedPoint, ranked_point
from indexer.store.tuning import IndexTuning

_SCROLL_PAGE = 4096
_NO_SUCH_VECTOR = "Not existing vector name"
_ALL_NAMES = 100_000
_BETWEEN_LOOKS = 64
"""Changes of payloads, a few kB each, that are written after one look for room: little beside what must be left."""


class EdgeShard:
    """An open shard. Reading is safe from several threads and processes; writing from one.

    The shard has no write-ahead log, as one would lock it to a single process; a write is durable once ``flush``
    returned (DECISIONS 3).
    """

    def __init__(self, folder: Path, shard: edge.EdgeShard, tuning: IndexTuning) -> None:
        self._folder = folder
        self._shard = shard
        self._tuning = tuning
        self._facet_attributes = frozenset(tuning.facet_attributes)
        self._indexed_fields: frozenset[str] | None = None
        self._has_words = False
        self._in_memory = 0
        self._may_seal: bool | None = None

    @classmethod
    def create(cls, folder: Path, dim: int, tuning: IndexTuning) -> EdgeShard:
        """A new, empty shard with its payload indexes, durable when this returns.

        Raises:
            StoreUnavailable: the folder cannot be written.
        """
        with engine(folder, StoreUnavailable):
            folder.mkdir(parents=True)
        check_room(folder)
        with engine(folder, StoreUnavailable):
            shard = cls(folder, edge.EdgeShard.create(str(folder), shard_config(dim, tuning)), tuning)
        shard.create_indexes([*PAYLOAD_INDEXES, *tenant_indexes(tenants=tuning.tenants)])
        shard.flush()
        return shard

    @classmethod
    def open(cls, folder: Path, tuning: IndexTuning, *, points: int | None = None) -> EdgeShard:
        """Opens an existing shard.

        Args:
            folder: of the shard.
            tuning: of searches.
            points: how many it must hold, if that is known: the engine opens some truncated files without a word.

        Raises:
            StoreDamaged: files are missing or unreadable, or points are missing.
        """
        with engine(folder, StoreDamaged):
            shard = cls(folder, edge.EdgeShard.load(str(folder)), tuning)
        if points is not None and (found := shard.count()) != points:
            shard.close()
            raise StoreDamaged(f"The shard {folder} holds {found} points instead of {points}.", REMEDIES[StoreDamaged])
        return shard

    def missing_indexes(self) -> set[str]:
        """Fields that would have an index if the shard were filled now: it is of an earlier version or setting.

        An attribute is given one when the first point that has it is written, as each costs something at every write.
        """
        wanted = {*PAYLOAD_INDEXES, *tenant_indexes(tenants=self._tuning.tenants)}
        if "attribute_names" in self.indexed_fields():
            names = {str(name) for name, _ in self.facet("attribute_names", None, _ALL_NAMES)}
            wanted.update(attribute_indexes(names.intersection(self._tuning.facet_attributes)))
        return wanted.difference(self.indexed_fields())

    def create_indexes(self, fields: Iterable[str]) -> None:
        """Creates payload indexes; durable with the next ``flush``."""
        for field in fields:
            kind = PAYLOAD_INDEXES.get(field, "keyword")
            params = TENANT_INDEX_PARAMS if field == TENANT_FIELD else PAYLOAD_INDEX_PARAMS[kind]
            self._update(edge.UpdateOperation.create_field_index(engine_path(field), params))
        self._indexed_fields = None

    def _index_attributes(self, payloads: Iterable[PointPayload]) -> None:
        names = {name for item in payloads for name in self._facet_attributes.intersection(item.attribute_names)}
        if names:
            self.create_indexes(attribute_indexes(names).keys() - self.indexed_fields())

    def upsert(self, points: Sequence[Point]) -> None:
        """Inserts or replaces points."""
        self._index_attributes(item.payload for item in points)
        self._make_place_for_words()
        given = [edge.Point(item.id, _vectors(item), item.payload.to_json()) for item in points]
        self._update(edge.UpdateOperation.upsert_points(given))
        self._in_memory += len(points)

    def update_words(self, updates: Sequence[PayloadUpdate]) -> None:
        """Brings the words of products up to date whose texts changed; durable when this returns.

        To be called before ``update_payloads``: a payload then never tells of words that a crash kept from the disk.
        """
        due = [update for update in updates if words_change(update)]
        if not due:
            return
        self._make_place_for_words()
        vectors = [
            edge.PointVectors(update.id, {LEXICAL_VECTOR: sparse_vector(product_vector(update.payload))})
            for update in due
        ]
        self._update(edge.UpdateOperation.update_vectors(vectors))
        self.flush()

    def update_payloads(self, updates: Sequence[PayloadUpdate]) -> None:
        """Gives each point its new payload.

        A changed price is written without the texts around it, which takes a quarter of the time, and points that get
        the same values (out of stock, say) get them together.
        """
        self._index_attributes(
            item.payload for item in updates if not item.changed or "attribute_names" in item.changed
        )
        alike: dict[str, tuple[dict[str, Any], list[UUID]]] = {}
        operations = []
        for update in updates:
            changed = update.payload.to_json(update.changed)
            if not changed or None in changed.values():
                # the engine would take a field away that is set to null
                operations.append(edge.UpdateOperation.overwrite_payload([update.id], update.payload.to_json()))
            else:
                alike.setdefault(json.dumps(changed, sort_keys=True), (changed, []))[1].append(update.id)
        operations += [edge.UpdateOperation.set_payload(list(ids), changed) for changed, ids in alike.values()]
        self._update(*operations)
        self._in_memory += len(updates)

    def delete(self, ids: Sequence[UUID]) -> None:
        """Removes points."""
        self._update(edge.UpdateOperation.delete_points(list(ids)))

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """Removes the points of products, all or those that fulfil a filter."""
        self._update(edge.UpdateOperation.delete_points_by_filter(_of_products(product_ids, where)))

    def apply(self, change: BatchChange) -> None:
        """Writes a batch; durable when this returns."""
        if change.points:
            self.upsert(change.points)
        if change.payloads:
            self.update_words(change.payloads)
            self.update_payloads(change.payloads)
        if change.points or change.payloads:
            self.flush()
        if change.deletions:
            # only now: a deletion is on disk at once, an insertion not before the flush; no product is without both
            self.delete(change.deletions)
            self.flush()

    def flush(self) -> None:
        """Makes everything written so far durable."""
        with engine(self._folder, StoreUnavailable):
            self._shard.flush()

    def nearest(
        self, vector: Vectors, count: int, where: Filter | None = None, *, exact: bool = False
    ) -> list[RankedPoint]:
        """The ``count`` nearest points, best first.

        Args:
            vector: float32 (D,).
            count: points wanted.
            where: what all of them must fulfil.
            exact: every vector is compared.
        """
        request = edge.QueryRequest(
            limit=count,
            query=edge.Query.Nearest(_given(vector), using=IMAGE_VECTOR),
            filter=engine_filter(where),
            params=edge.SearchParams(
                hnsw_ef=max(self._tuning.hnsw_ef, count),
                exact=exact,
                quantization=edge.QuantizationSearchParams(
                    ignore=exact or self._tuning.quantization == "none",
                    rescore=True,
                    oversampling=self._tuning.oversampling,
                ),
            ),
            with_payload=list(RANKED_FIELDS),
        )
        with engine(self._folder, StoreDamaged):
            return _ranked(self._shard.query(request))

    def lexical(self, terms: SparseVector, count: int, where: Filter | None) -> list[RankedPoint] | None:
        """Points by the BM25 score of their words, best first; None where the shard has no place for words.

        Args:
            terms: of a query; at least one.
            count: points wanted.
            where: what all of them must fulfil.
        """
        request = edge.QueryRequest(
            limit=count,
            query=edge.Query.Nearest(sparse_vector(terms), using=LEXICAL_VECTOR),
            filter=engine_filter(where),
            with_payload=list(RANKED_FIELDS),
        )
        try:
            with engine(self._folder, StoreDamaged):
                return _ranked(self._shard.query(request))
        except StoreError as error:
            if _NO_SUCH_VECTOR in error.reason:
                return None
            raise

    def _make_place_for_words(self) -> None:
        """In a shard of an earlier version."""
        if not self._has_words:
            if self.lexical(SparseVector((0,), (1.0,)), 1, None) is None:
                self._update(edge.UpdateOperation.create_sparse_vector(LEXICAL_VECTOR, edge.Modifier.Idf))
            self._has_words = True

    def facet(self, field: str, where: Filter | None, limit: int) -> list[tuple[str | int | bool, int]]:
        """Values of an indexed field and how many points have each, exactly; highest counts first."""
        request = edge.FacetRequest(key=engine_path(field), limit=limit, exact=True, filter=engine_filter(where))
        with engine(self._folder, StoreDamaged):
            return [(hit.value, hit.count) for hit in self._shard.facet(request).hits]

    def page(self, step: Step) -> list[StoredPoint]:
        """A page of points in order of their ids or of a field's values."""
        request = edge.ScrollRequest(
            offset=step.first if isinstance(step, ById) else None,
            limit=step.count,
            filter=engine_filter(step.where),
            with_payload=True,
            with_vector=False,
            order_by=engine_order(step) if isinstance(step, ByValue) else None,
        )
        with engine(self._folder, StoreDamaged):
            records, _ = self._shard.scroll(request)
        return [_stored(record) for record in records]

    def payload_values(self, field: str, where: Filter | None) -> Iterator[Any]:
        """A top-level field of every point that fulfils a filter."""
        for record in self._scroll(engine_filter(where), with_payload=[field]):
            yield (record.payload or {}).get(field)

    def points(self, ids: Sequence[UUID]) -> dict[UUID, StoredPoint]:
        """Points by id, with payload; unknown ids are left out."""
        with engine(self._folder, StoreDamaged):
            records = self._shard.retrieve(list(ids), with_payload=True, with_vector=False)
        return {_uuid(record.id): _stored(record) for record in records}

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        """Vectors by id, float32 (D,); unknown ids are left out."""
        with engine(self._folder, StoreDamaged):
            records = self._shard.retrieve(list(ids), with_payload=False, with_vector=True)
        return {_uuid(record.id): image_vector(record.vector) for record in records}

    def of_products(self, product_ids: Sequence[str], where: Filter | None = None) -> list[StoredPoint]:
        """The points of products, all or those that fulfil a filter, in no particular order."""
        if not product_ids:
            return []
        return [_stored(record) for record in self._scroll(_of_products(product_ids, where), with_payload=True)]

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """The product of every point, or of those that fulfil a filter."""
        for record in self._scroll(engine_filter(where), with_payload=["product_id"]):
            yield (record.payload or {})["product_id"]

    def count(self, where: Filter | None = None) -> int:
        """Points in the shard, or those that fulfil a filter, exactly."""
        with engine(self._folder, StoreDamaged):
            return self._shard.count(edge.CountRequest(exact=True, filter=engine_filter(where)))

    def indexed_count(self) -> int:
        """Points in the HNSW graph; exact after ``flush``."""
        return points_in_graphs(self._folder)

    def indexed_fields(self) -> frozenset[str]:
        """Payload fields that have an index."""
        if self._indexed_fields is None:
            self._indexed_fields = frozenset(field_of_path(path) for path in self._shard.info().payload_schema)
        return self._indexed_fields

    def needs_optimizing(self) -> bool:
        """Whether so many points are outside the graph that comparing them one by one would be slow."""
        return is_sealed(self._folder) or self.count() - self.indexed_count() >= self._tuning.exact_below

    def needs_sealing(self) -> bool:
        """Whether so many points were written that what the engine keeps of them in memory should go to the disk.

        About 2 kB a point: words, values of payload indexes, ids (docs/performance.md). Never in a shard with a graph,
        which would be built anew.
        """
        if self._may_seal is None:
            self._may_seal = not self.indexed_count()
            self._in_memory = self.count() - points_at_rest(self._folder)
        return self._may_seal and self._in_memory >= self._tuning.sealed_at

    def close(self) -> None:
        """Releases the files."""
        self._shard.close()

    def _update(self, *operations: edge.UpdateOperation) -> None:
        """Carries out operations; several are such that a look for room before every so many will do."""
        for start in range(0, len(operations), _BETWEEN_LOOKS):
            check_room(self._folder)
            with engine(self._folder, StoreUnavailable):
                for operation in operations[start : start + _BETWEEN_LOOKS]:
                    self._shard.update(operation)

    def _scroll(self, where: edge.Filter | None, with_payload: bool | list[str]) -> Iterator[edge.Record]:
        offset = None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=_SCROLL_PAGE, filter=where, with_payload=with_payload, with_vector=False
            )
            with engine(self._folder, StoreDamaged):
                records, offset = self._shard.scroll(request)
            yield from records
            if offset is None:
                return


def _of_products(product_ids: Sequence[str], where: Filter | None) -> edge.Filter:
    products = edge.FieldCondition(key="product_id", match=edge.MatchAny(list(product_ids)))
    condition = engine_filter(where)
    return edge.Filter(must=[products] if condition is None else [products, condition])


def _ranked(hits: Sequence[edge.ScoredPoint]) -> list[RankedPoint]:
    # each look at a payload makes a dict of it anew
    payloads = ((hit, hit.payload) for hit in hits)
    return [ranked_point(_uuid(hit.id), hit.score, payload) for hit, payload in payloads if payload]


def _stored(record: edge.Record) -> StoredPoint:
    return StoredPoint(_uuid(record.id), PointPayload.from_json(record.payload or {}))


def _vectors(point: Point) -> Any:
    vectors: dict[str, Any] = {IMAGE_VECTOR: _given(point.vector)}
    if point.payload.main:
        vectors[LEXICAL_VECTOR] = sparse_vector(product_vector(point.payload))
    return vectors


def _given(vector: Vectors) -> Any:
    # arrays are taken as they are and copied faster than lists, which is all that the stubs know
    return vector


def _uuid(value: edge.PointId) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
