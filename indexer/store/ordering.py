"""From an engine's two ways to page, by value and by id, to an order in which every product stands exactly once.

Engines order points by a number or moment and leave equal ones in any order; by id they page exactly. So what has equal
values is paged by id: a page then never depends on how the engine happened to order them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from indexer.points import StoredPoint
from indexer.store.filters import AnyOf, Filter, Not, Range, both
from indexer.store.queries import OrderedAfter, OrderedQuery

PRODUCTS = AnyOf("main", (True,))
"""One point of every product."""

FIELDS_OF_ORDERS: Mapping[str, tuple[str, bool]] = {
    "price_asc": ("price_minor", False),
    "price_desc": ("price_minor", True),
    "newest": ("updated_at", True),
}
"""By order, but for the store's own: the field whose values it goes by, and whether the highest come first."""

_LOWEST: Mapping[str, float | str] = {"price_minor": -(2.0**62), "updated_at": "0001-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class ByValue:
    """Points with the lowest or highest values of a field, in that order; equal ones in any.

    Attributes:
        field: a number or moment with an index; points without one are left out.
        descending: highest first.
        where: what they fulfil.
        count: points wanted.
    """

    field: str
    descending: bool
    where: Filter | None
    count: int


@dataclass(frozen=True, slots=True)
class ById:
    """Points in the order of their ids.

    Attributes:
        where: what they fulfil.
        after: those behind this id; None from the first.
        count: points wanted.
    """

    where: Filter | None
    after: UUID | None
    count: int

    @property
    def first(self) -> UUID | None:
        """The lowest id that is wanted."""
        return None if self.after is None else UUID(int=min(self.after.int + 1, 2**128 - 1))


Step: TypeAlias = ByValue | ById
Ordering: TypeAlias = Generator[Step, Sequence[StoredPoint], tuple[StoredPoint, ...]]


def ordering(query: OrderedQuery) -> Ordering:
    """Yields what it needs, is sent it, and returns the page."""
    products = both(PRODUCTS, query.where)
    after = query.after
    if query.by == "catalog":
        return tuple((yield ById(products, after.id if after is not None else None, query.count)))
    field, descending = FIELDS_OF_ORDERS[query.by]
    found: list[StoredPoint] = []
    if after is None or after.value is not None:
        rest = products
        if after is not None and after.value is not None:
            found += yield ById(both(products, _equal(field, after.value)), after.id, query.count)
            beyond = Range(field, lt=after.value) if descending else Range(field, gt=after.value)
            rest = both(products, beyond)
        if (wanted := query.count - len(found)) > 0:
            batch = yield ByValue(field, descending, rest, wanted)
            whole = list(batch) if len(batch) < wanted else list(_before_last(batch, query))
            found += sorted(whole, key=_rank(query))
            if len(whole) < len(batch):
                # the last value may be that of more points than were fetched, and of others than come first by id
                last = OrderedAfter.of(query.by, batch[-1]).value
                assert last is not None  # noqa: S101 - points without one are left out
                found += yield ById(both(products, _equal(field, last)), None, query.count - len(found))
    if len(found) < query.count:
        start = after.id if after is not None and after.value is None else None
        found += yield ById(both(products, Not(Range(field, gte=_LOWEST[field]))), start, query.count - len(found))
    return tuple(found)


def run_ordering(query: OrderedQuery, fetch: Callable[[Step], Sequence[StoredPoint]]) -> tuple[StoredPoint, ...]:
    """A page, fetched by a blocking call."""
    steps = ordering(query)
    step = next(steps)
    while True:
        try:
            step = steps.send(fetch(step))
        except StopIteration as end:
            page: tuple[StoredPoint, ...] = end.value
            return page


def _equal(field: str, value: int | str) -> Range:
    return Range(field, gte=value, lte=value)


def _before_last(batch: Sequence[StoredPoint], query: OrderedQuery) -> Iterator[StoredPoint]:
    last = OrderedAfter.of(query.by, batch[-1]).value
    return (point for point in batch if OrderedAfter.of(query.by, point).value != last)


def _rank(query: OrderedQuery) -> Callable[[StoredPoint], tuple[float, UUID]]:
    _, descending = FIELDS_OF_ORDERS[query.by]

    def rank(point: StoredPoint) -> tuple[float, UUID]:
        value = OrderedAfter.of(query.by, point).value
        number = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value or 0)
        return (-number if descending else number, point.id)

    return rank
