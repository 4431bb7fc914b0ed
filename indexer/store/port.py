"""The vector store port.

Two names matter. A *collection* is physical: a folder or a server's collection, of one embedding space. An *alias* is
the stable name that searches go through; it carries the space id, so a query only ever meets vectors of its own space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from indexer.errors import CollectionNotFound, SpaceMismatch, StoreError
from indexer.points import Point, PointPayload, StoredPoint, Vectors
from indexer.spaces import EmbeddingSpace
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import Filter
from indexer.store.queries import (
    CollectionStatus,
    FacetCount,
    FacetQuery,
    LexicalQuery,
    NearestQuery,
    OrderedQuery,
    PriceRange,
    SearchAnswer,
    SearchQuery,
)
from indexer.store.ranking import RankedPoint


@dataclass(frozen=True, slots=True)
class Alias:
    """The stable name of a catalog's points in one embedding space.

    Attributes:
        catalog: the shop's name for it, ``products`` by default.
        space_id: of the embeddings.
    """

    catalog: str
    space_id: str

    @property
    def name(self) -> str:
        """As the store spells it."""
        return f"{self.catalog}--{self.space_id}"


@dataclass(frozen=True, slots=True)
class PayloadUpdate:
    """A new payload for a point whose picture, hence vector, stays.

    Attributes:
        id: of the point.
        payload: the whole of it, as it is to be.
        changed: names of the fields in which the stored one differs, for a store that can write these alone; empty if
            that is not known.
    """

    id: UUID
    payload: PointPayload
    changed: frozenset[str] = frozenset()


WORD_FIELDS = frozenset({"title", "brand", "attributes", "main"})
"""Fields that the words of a product's main point are made of, and the one that says whether it is the main one."""


def words_change(update: PayloadUpdate) -> bool:
    """Whether the point's words are to be written anew.

    A point that is no longer the main one keeps its words; who asks for words asks for main points.
    """
    return bool(update.payload.main) and (not update.changed or not update.changed.isdisjoint(WORD_FIELDS))


@dataclass(frozen=True, slots=True)
class BatchChange:
    """All that one batch changes. Order of effect: points and payloads first, deletions after they are durable."""

    points: tuple[Point, ...] = ()
    payloads: tuple[PayloadUpdate, ...] = ()
    deletions: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.points or self.payloads or self.deletions)


class CollectionReader(Protocol):
    """Searches through an alias and follows it; safe to call from several threads.

    Every method raises ``CollectionNotFound`` while nothing is indexed, ``SpaceMismatch`` while only other spaces are,
    ``StoreUnavailable`` or ``StoreDamaged`` if the store does not answer. What counts or orders products, or filters by
    one of ``DERIVED_FIELDS``, raises ``CollectionOutdated`` while points of earlier versions lack these.
    """

    def search(self, query: SearchQuery) -> SearchAnswer:
        """The nearest products, each once with its best picture; equal scores in order of product id."""
        ...

    def nearest(self, query: NearestQuery) -> tuple[RankedPoint, ...]:
        """The nearest pictures, best first; equal scores by product id and position."""
        ...

    def lexical(self, query: LexicalQuery) -> tuple[RankedPoint, ...]:
        """Main points of products that have words of a text in title, brand or attributes; best first, by BM25.

        Words and numbers are found in their other forms too; a text without words finds nothing.

        Raises:
            CollectionOutdated: the products' words are not indexed, as an earlier version wrote the collection.
        """
        ...

    def facet(self, query: FacetQuery) -> tuple[FacetCount, ...]:
        """Counts of products by value, exact; highest first, equal counts by value. Empty texts are left out.

        A product counts with what its main picture's point says; so ``where`` is about products.

        Raises:
            FilterFieldUnknown, FilterInvalid: the field has no such values.
        """
        ...

    def count_products(self, where: Filter | None = None) -> int:
        """How many products fulfil a filter, exactly."""
        ...

    def price_range(self, where: Filter | None = None) -> PriceRange | None:
        """Lowest and highest price of the products that fulfil a filter; None if none of them has a price."""
        ...

    def ordered(self, query: OrderedQuery) -> tuple[StoredPoint, ...]:
        """Main points of products, in an order; fewer than asked for only at its end."""
        ...

    def points(self, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """Points by id; unknown ids are left out."""
        ...

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """Points of products, or of these the ones that fulfil a filter, by position; products without are left out."""
        ...

    def vectors(self, ids: Sequence[UUID]) -> Mapping[UUID, Vectors]:
        """Embeddings of points, float32 (D,); unknown ids are left out."""
        ...

    def annotation(self, name: str) -> Mapping[str, Any] | None:
        """What the collection was annotated with under a name, None if it was not; see ``VectorStore.annotate``."""
        ...

    def collection_name(self) -> str:
        """Physical name of the collection that answers now; takes no more than knowing it."""
        ...

    def status(self, where: Filter | None = None) -> CollectionStatus:
        """Facts about the collection behind the alias now; counts, so it is no part of a search.

        Args:
            where: which points are counted; None: all.
        """
        ...

    def refresh(self) -> None:
        """Makes sure that what was published before this call is what every later call answers with.

        Without it a reader follows too, but some time later, as its store has it.
        """
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


class CollectionWriter(Protocol):
    """The one index run that writes behind an alias; closed without ``publish``, what was written is kept for later."""

    @property
    def collection(self) -> str:
        """Physical name of what is written to."""
        ...

    @property
    def continues(self) -> bool:
        """Whether all that the run named by ``resume_of`` wrote is here."""
        ...

    def product_points(
        self, product_ids: Sequence[str], where: Filter | None = None
    ) -> Mapping[str, tuple[StoredPoint, ...]]:
        """As in ``CollectionReader``, but empty where nothing is indexed yet."""
        ...

    def donated(self, product_ids: Sequence[str]) -> Mapping[str, tuple[Point, ...]]:
        """Points of products in another collection of the space, whose vectors may be copied; mostly there are none."""
        ...

    def write(self, change: BatchChange) -> None:
        """Applies a batch; durable when it returns.

        Raises:
            StoreUnavailable: it could not be written; nothing was acknowledged.
        """
        ...

    def product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """The product of every point, or of those that fulfil a filter, once for each point."""
        ...

    def outdated_product_ids(self, where: Filter | None = None) -> Iterator[str]:
        """The same of points that lack ``DERIVED_FIELDS``, as earlier versions wrote them."""
        ...

    def delete_products(self, product_ids: Sequence[str], where: Filter | None = None) -> None:
        """Removes the points of products, all or those that fulfil a filter; durable when it returns."""
        ...

    def publish(self) -> bool:
        """Builds the search index where one is due and makes the alias answer with what was written, atomically.

        Returns:
            Whether anything changed.
        """
        ...

    def close(self) -> None:
        """Ends writing and lets the next writer in."""
        ...


@runtime_checkable
class SharedWriter(Protocol):
    """What a writer has besides, where several processes may write to one collection: on a server."""

    def create(self) -> None:
        """Makes the collection now, so that others can open it by its name."""
        ...


class VectorStore(Protocol):
    """A store of collections and aliases."""

    def reader(self, alias: Alias) -> CollectionReader:
        """A reader that need not find anything yet."""
        ...

    def async_reader(self, alias: Alias) -> AsyncCollectionReader:
        """The same for one event loop."""
        ...

    def writer(self, alias: Alias, space: EmbeddingSpace, *, resume_of: str = "") -> CollectionWriter:
        """Begins an index run behind an alias.

        Args:
            alias: created by the first ``publish``.
            space: of the vectors that will be written.
            resume_of: collection of an interrupted run that this one goes on with.

        Raises:
            StoreLocked: another process is writing; the message says which.
        """
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps other processes' writers out until the block ends, where the store lets only one write.

        Writers, promotions and prunings of this object go on inside the block, one after the other. Nothing happens
        on a server, which takes many writers.

        Raises:
            StoreLocked: another process is writing; the message says which.
        """
        ...

    def target(self, alias: Alias, space: EmbeddingSpace, *, collection: str = "", donor: str = "") -> CollectionWriter:
        """Begins to fill a collection that nobody searches until it is promoted, or goes on with it.

        The writer's ``publish`` builds the search index where one is due, so that the collection can be read by name,
        and changes no alias; it may be written to and published again until it is promoted.

        Args:
            alias: that it is meant for.
            space: of the vectors that will be written.
            collection: of an interrupted reindex; empty for a new one.
            donor: collection of the same space whose vectors may be copied; one that is gone gives none.

        Raises:
            StoreLocked: another process is writing; the message says which.
            CollectionNotFound: there is no such collection.
            SpaceMismatch: it is of another space.
        """
        ...

    def collection_reader(self, collection: str, *, exact: bool = False) -> CollectionReader:
        """A reader of one collection, whatever the aliases say.

        Args:
            collection: physical name.
            exact: every vector is compared, none through the approximate index.

        Raises:
            CollectionNotFound: there is none of that name.
        """
        ...

    def current(self, alias: Alias) -> str:
        """The collection that an alias answers with, empty if there is none."""
        ...

    def previous(self, alias: Alias) -> str:
        """The collection that it answered with before, kept for a rollback; empty if there is none."""
        ...

    def promote(self, alias: Alias, collection: str) -> None:
        """Makes an alias answer with a published collection, in one atomic step; what it named becomes the previous.

        Raises:
            CollectionNotFound: there is no such collection.
            StoreLocked: another process is writing.
        """
        ...

    def prune(self, alias: Alias, *, keep: Sequence[str] = ()) -> Sequence[str]:
        """Deletes an alias's collections but the current, the previous and those to ``keep``.

        Nothing is deleted while the alias has no current one.

        Returns:
            What was deleted.

        Raises:
            StoreLocked: another process is writing.
        """
        ...

    def annotate(self, collection: str, name: str, value: Mapping[str, Any]) -> None:
        """Keeps something that was found out about a collection with it, in place of what there was under that name.

        It goes with the collection: index runs leave it, or carry it into the generation that they make; another
        collection, as a reindex fills it, has none. Readers see it soon. No writer's lock is needed.

        Args:
            collection: physical name.
            name: of letters, digits and underscores.
            value: JSON.

        Raises:
            CollectionNotFound: there is no such collection.
            StoreUnavailable, StoreRefused: it could not be written.
        """
        ...

    def collections(self) -> Sequence[CollectionStatus]:
        """All collections, by name."""
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...


def missing_alias(alias: Alias, spaces: Sequence[EmbeddingSpace]) -> StoreError:
    """The error for an alias that points nowhere: nothing indexed at all, or only other spaces.

    Args:
        alias: asked for.
        spaces: what the same catalog is indexed in.
    """
    if not spaces:
        return CollectionNotFound(
            f"Nothing is indexed under the name {alias.catalog!r} yet.", "Run: python -m indexer index FEED."
        )
    found = ", ".join(sorted(f"{space.space_id} (model {space.model})" for space in spaces))
    return SpaceMismatch(
        f"The catalog {alias.catalog!r} is indexed in the embedding space {found}; "
        f"this model's space is {alias.space_id}, whose vectors cannot be compared with it.",
        "Start with the model that the catalog was indexed with, or index the feed with this one.",
    )
