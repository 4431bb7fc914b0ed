"""What searches must know of the catalog besides its points: names of attributes, what scores mean, where texts lie."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np

from indexer.calibration.model import ANNOTATION, Calibration
from indexer.errors import QueryNotPossible, QueryTextEmpty
from indexer.points import CATEGORY_SEPARATOR, Vectors
from indexer.search.collapse import copy_threshold
from indexer.search.compose import CatalogGeometry, ValueGroup
from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import AnyOf, Not, attribute_field
from indexer.store.queries import FacetQuery, NearestQuery, OrderedQuery
from search_api.places import Places
from search_api.query_embeddings import QueryEmbeddings
from search_api.side_by_side import some_at_once
from search_api.tenancy import TenantOfRequest

_T = TypeVar("_T")

_NAMES_KEPT_S = 5.0
_CALIBRATION_KEPT_S = 5.0
_GEOMETRY_KEPT_S = 600.0
_MAX_NAMES = 1000
_SAMPLE_PRODUCTS = 512
_SAMPLE_TITLES = 64
_SAMPLE_NEIGHBOURS = 100
_MAX_VALUES = 48
_MAX_TENANTS = 1000
"""Of whom something is kept; what is known of the one that asked least lately is learned again."""
_TEXTS_AT_ONCE = 16
"""Enough to fill the model's batches, and few enough that a shopper's text is not long behind them."""


class _Kept(Generic[_T]):
    """A value that is made anew when it is old: by one caller while the others wait, or go on with the old one.

    Args:
        kept_s: how long it is new.
        patient: whether nobody waits for a new one while there is an old one.
    """

    def __init__(self, kept_s: float, *, patient: bool = False) -> None:
        self._kept_s = kept_s
        self._patient = patient
        self._lock = asyncio.Lock()
        self._made: tuple[float, _T] | None = None

    async def get(self, make: Callable[[], Awaitable[_T]]) -> _T:
        if self._patient and self._made is not None and self._lock.locked():
            return self._made[1]
        async with self._lock:
            if self._made is None or time.monotonic() - self._made[0] > self._kept_s:
                self._made = (time.monotonic(), await make())
            return self._made[1]


class _Learned:
    """Of one tenant's products, or of all where there are no tenants."""

    def __init__(self) -> None:
        self.names: _Kept[frozenset[str]] = _Kept(_NAMES_KEPT_S)
        self.calibration: _Kept[Calibration | None] = _Kept(_CALIBRATION_KEPT_S)
        self.copies: _Kept[float] = _Kept(_GEOMETRY_KEPT_S, patient=True)
        self.geometry: _Kept[CatalogGeometry] = _Kept(_GEOMETRY_KEPT_S, patient=True)


class CatalogKnowledge:
    """Learned from the collection and kept for a while.

    Args:
        reader: of the collection; asked for with each call, as it opens late.
        queries: embeds texts of the catalog.
        facet_attributes: names of attributes whose values a text may replace.
        tenant: whose products a request is about; what is learned of one's is kept for that one.
        scan_most_products: of a catalog whose attributes may be asked for without a payload index.
    """

    def __init__(
        self,
        reader: Callable[[], AsyncCollectionReader],
        queries: QueryEmbeddings,
        facet_attributes: Sequence[str],
        tenant: TenantOfRequest,
        scan_most_products: int,
    ) -> None:
        self._reader = reader
        self._queries = queries
        self._facet_attributes = tuple(facet_attributes)
        self._tenant = tenant
        self._scan_most_products = scan_most_products
        self._learned: OrderedDict[str, _Learned] = OrderedDict()

    def _known(self) -> _Learned:
        """What is known of the products that the request is about."""
        tenant = self._tenant()
        if tenant not in self._learned:
            self._learned[tenant] = _Learned()
        self._learned.move_to_end(tenant)
        if len(self._learned) > _MAX_TENANTS:
            self._learned.popitem(last=False)
        return self._learned[tenant]

    async def unscannable(self, names: Iterable[str]) -> frozenset[str]:
        """Those attributes for which every product would have to be read, and there are too many.

        Args:
            names: of attributes, in lower case.
        """
        unindexed = frozenset(names).difference(self._facet_attributes)
        if not unindexed or await self._reader().count_products() <= self._scan_most_products:
            return frozenset()
        return unindexed

    async def attribute_names(self) -> frozenset[str]:
        """Names of all attributes, in lower case."""
        return await self._known().names.get(self._read_names)

    async def calibration(self) -> Calibration | None:
        """What scores mean; None where that was not fitted."""
        return await self._known().calibration.get(self._read_calibration)

    async def geometry(self) -> CatalogGeometry:
        """Means of pictures and titles, and the values of attributes.

        Raises:
            StoreError, EmbedderError, Overloaded
        """
        return await self._known().geometry.get(self._read_geometry)

    async def copy_threshold(self) -> float:
        """Least cosine of a picture and its copy."""
        return await self._known().copies.get(self._read_copy_threshold)

    async def _read_copy_threshold(self) -> float:
        reader = self._reader()
        sample = await reader.ordered(OrderedQuery("catalog", _SAMPLE_NEIGHBOURS))
        vectors = await reader.vectors([point.id for point in sample])
        neighbours: list[float] = []
        for point in sample:  # one after the other: shoppers' searches come in between
            if point.id in vectors:
                others = Not(AnyOf("product_id", (point.payload.product_id,)))
                nearest = await reader.nearest(NearestQuery(vectors[point.id], 1, others))
                neighbours += [item.score for item in nearest]
        return copy_threshold(neighbours)

    async def _read_names(self) -> frozenset[str]:
        counts = await self._reader().facet(FacetQuery("attribute_names", None, _MAX_NAMES))
        return frozenset(str(item.value) for item in counts)

    async def _read_calibration(self) -> Calibration | None:
        return Calibration.from_json(await self._reader().annotation(ANNOTATION))

    async def _read_geometry(self) -> CatalogGeometry:
        reader = self._reader()
        means = await self._means()
        groups = [await self._value_group("category", await self._leaf_categories())]
        known = await self.attribute_names()
        for name in self._facet_attributes:
            if name in known:
                counts = await reader.facet(FacetQuery(attribute_field(name), None, _MAX_VALUES))
                groups.append(await self._value_group(name, [str(item.value) for item in counts]))
        return CatalogGeometry(*means, tuple(group for group in groups if group is not None))

    async def _means(self) -> tuple[Vectors, Vectors]:
        """Of the catalog's pictures and titles, as the calibration has them, or else of a sample."""
        calibration = await self.calibration()
        if calibration is not None:
            return calibration.image_mean, calibration.text_mean
        reader = self._reader()
        sample = await reader.ordered(OrderedQuery("catalog", _SAMPLE_PRODUCTS))  # by id, which is a hash: at random
        vectors = await reader.vectors([point.id for point in sample])
        titles = await self._embedded([point.payload.title for point in sample[:_SAMPLE_TITLES]])
        if not vectors or not len(titles):
            raise QueryNotPossible("The catalog has too few titles to compose photos and texts.", "Ask with one part.")
        return _mean(np.stack(list(vectors.values()))), _mean(titles)

    async def _leaf_categories(self) -> list[str]:
        counts = await self._reader().facet(FacetQuery("category_path", None, _MAX_NAMES))
        paths = [str(item.value) for item in counts]
        inner = {path.rpartition(CATEGORY_SEPARATOR)[0] for path in paths}
        return [path.rpartition(CATEGORY_SEPARATOR)[2] for path in paths if path not in inner][:_MAX_VALUES]

    async def _value_group(self, name: str, values: Sequence[str]) -> ValueGroup | None:
        vectors = await self._embedded(values)
        return ValueGroup(name, vectors) if len(vectors) > 1 else None

    async def _embedded(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of those that are texts at all, float32 (N, D)."""
        with self._queries.places() as places:
            answers = await some_at_once(texts, lambda text: self._embedded_if_text(text, places), _TEXTS_AT_ONCE)
        found = [vector for vector in answers if vector is not None]
        return np.stack(found) if found else np.zeros((0, 0), dtype=np.float32)

    async def _embedded_if_text(self, text: str, places: Places) -> Vectors | None:
        try:
            return (await self._queries.of_text(text, places)).vector
        except QueryTextEmpty:
            return None


def _mean(vectors: Vectors) -> Vectors:
    mean: Vectors = vectors.astype(np.float64).mean(axis=0).astype(np.float32)
    return mean
