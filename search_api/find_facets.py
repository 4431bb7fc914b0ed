"""Facets: which values there are beside those chosen, and how many products have each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from indexer.store.async_reader import AsyncCollectionReader
from indexer.store.filters import AnyOf, Filter
from indexer.store.queries import FacetQuery
from search_api.find_filters import PRICE_FACET, chosen_values, facet_field, without_field
from search_api.find_schemas import FacetCountModel, RangeFacet, ValuesFacet

_MAX_FACET_VALUES = 200

Narrowed = Callable[[Filter | None], Awaitable["FacetScope"]]
"""What is counted under a filter."""


@dataclass(frozen=True, slots=True)
class FacetScope:
    """Products that are counted.

    Attributes:
        where: what they fulfil; None for all.
        count: how many there are.
    """

    where: Filter | None
    count: int


def products_scope(product_ids: Sequence[str]) -> FacetScope:
    """These products."""
    ids = tuple(sorted(set(product_ids)))
    return FacetScope(AnyOf("product_id", ids) if ids else None, len(ids))


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts by name of facet, over how many products, and what must be said of them."""

    by_name: dict[str, ValuesFacet | RangeFacet]
    over: int
    notes: tuple[str, ...] = ()


class FacetCounter:
    """Counts.

    Args:
        reader: of the collection.
        attributes: names of the catalog's attributes.
        narrowed: gives the products that are counted under a filter.
    """

    def __init__(self, reader: AsyncCollectionReader, attributes: frozenset[str], narrowed: Narrowed) -> None:
        self._reader = reader
        self._attributes = attributes
        self._narrowed = narrowed

    async def count(self, names: Sequence[str], where: Filter | None) -> Facets:
        """Facets by these names; each counts the products that the filter would find without its own choice.

        Raises:
            FilterFieldUnknown: there is no such field.
        """
        wanted = list(dict.fromkeys(names))
        fields = {name: facet_field(name, self._attributes) for name in wanted}
        scopes: dict[Filter | None, FacetScope] = {}
        for condition in [where, *(without_field(where, field) for field in fields.values())]:
            if condition not in scopes:
                scopes[condition] = await self._narrowed(condition)
        made = await asyncio.gather(
            *(self._facet(name, fields[name], where, scopes[without_field(where, fields[name])]) for name in wanted)
        )
        notes = tuple(note for _, note in made if note)
        return Facets({name: facet for name, (facet, _) in zip(wanted, made, strict=True)}, scopes[where].count, notes)

    async def _facet(
        self, name: str, field: str, where: Filter | None, scope: FacetScope
    ) -> tuple[ValuesFacet | RangeFacet, str]:
        if name == PRICE_FACET:
            return await self._prices(scope)
        chosen = chosen_values(where, field)
        counts = await self._reader.facet(FacetQuery(field, scope.where, _MAX_FACET_VALUES)) if scope.count else ()
        values = [FacetCountModel(value=item.value, count=item.count, selected=item.value in chosen) for item in counts]
        there = {item.value for item in counts}
        missing = sorted((value for value in chosen if value not in there and not isinstance(value, int)), key=str)
        values += [FacetCountModel(value=str(value), count=0, selected=True) for value in missing]
        return ValuesFacet(values=values), ""

    async def _prices(self, scope: FacetScope) -> tuple[RangeFacet, str]:
        if not scope.count:
            return RangeFacet(min_minor=None, max_minor=None, currency=""), ""
        found, currencies = await asyncio.gather(
            self._reader.price_range(scope.where), self._reader.facet(FacetQuery("currency", scope.where, 2))
        )
        currency = str(currencies[0].value) if currencies else ""
        note = "Prices are in several currencies; their range compares numbers alone." if len(currencies) > 1 else ""
        if found is None:
            return RangeFacet(min_minor=None, max_minor=None, currency=currency), note
        return RangeFacet(min_minor=found.min_minor, max_minor=found.max_minor, currency=currency), note
