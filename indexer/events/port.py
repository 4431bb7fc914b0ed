"""The event log port: of every product that an event named, what it should be now.

The log is no queue of changes. It keeps one state a product: the newest whole description or deletion that was
delivered, and the newest value of every single field. So it needs no more room than the catalog does, whatever is
delivered late, twice or in another order comes to the same state, and whoever applies it again does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from indexer.products import CatalogProduct

PATCHABLE_FIELDS = (
    "title",
    "description",
    "link",
    "category",
    "brand",
    "price_minor",
    "currency",
    "in_stock",
    "item_group_id",
    "attributes",
)
"""Fields of a ``CatalogProduct`` that an event may change by themselves; pictures come with a whole product only."""

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class EventKind(StrEnum):
    """What an event says."""

    UPSERT = "upsert"
    DELETE = "delete"
    UPDATE_FIELDS = "update_fields"


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """One delivered change of one product.

    Attributes:
        product_id: the feed's own id.
        kind: what it says.
        updated_at: its version: when the shop made the change, timezone-aware; kept in UTC.
        product: the whole product, of an upsert.
        image_root: absolute folder that its paths of pictures are relative to; empty if all are URLs.
        fields: of an update: plain JSON values by field name, all of ``PATCHABLE_FIELDS``.
        dated: whether the shop told the version; else it is the time at which the event came, and the event counts as
            newer than all that came before it, even if the clock was set back in between.
    """

    product_id: str
    kind: EventKind
    updated_at: datetime
    product: CatalogProduct | None = None
    image_root: str = ""
    fields: Mapping[str, Any] = field(default_factory=lambda: _NO_FIELDS)
    dated: bool = True

    def __post_init__(self) -> None:
        if self.updated_at.tzinfo is None:
            raise ValueError("updated_at needs a time zone")
        object.__setattr__(self, "updated_at", self.updated_at.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class ProductBase:
    """The newest whole word on a product.

    Attributes:
        updated_at: its version.
        product: as it is to be, before single fields; None: it is deleted.
        image_root: see ``ProductEvent``.
    """

    updated_at: datetime
    product: CatalogProduct | None
    image_root: str = ""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """The newest value of a single field: its version, and a plain JSON value."""

    updated_at: datetime
    value: Any


@dataclass(frozen=True, slots=True)
class ProductState:
    """All that events said of a product; see ``merge`` for how they come together.

    Attributes:
        product_id: whose.
        base: None while there were only updates of fields.
        fields: newer than the base, or as old.
        sequence: grows over all products whenever a state changes; 0 before it is in a log.
        appended_at: when it last changed, timezone-aware; None before it is in a log.
    """

    product_id: str
    base: ProductBase | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    sequence: int = 0
    appended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an event.

    Attributes:
        product_id: whose.
        sequence: of the product's state now.
        stale: nothing of the event was taken, as what is known is newer. The repetition of an event that was taken is
            not stale: it is known.
        ignored_fields: of an update, fields of which a newer value is known.
    """

    product_id: str
    sequence: int
    stale: bool
    ignored_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """How far the events are in the index behind an alias.

    Attributes:
        sequence: every state up to here is searchable, 0 if none.
        events: states applied since the log began.
        p50_s, p95_s: from being appended to being searchable, of the latest thousand; None before the first.
    """

    sequence: int = 0
    events: int = 0
    p50_s: float | None = None
    p95_s: float | None = None


class EventLog(Protocol):
    """Durable states of products; safe to call from several threads and processes.

    Every method raises ``EventsUnavailable`` if the log cannot be read or written.
    """

    def append(self, events: Sequence[ProductEvent]) -> Sequence[Appended]:
        """Merges events into the states, each compared and set atomically; durable when it returns.

        Returns:
            One answer for each event, in their order.
        """
        ...

    def again(self, product_ids: Sequence[str]) -> int:
        """Gives states a new sequence, so that they are applied once more; returns how many there are."""
        ...

    def latest(self, product_ids: Sequence[str]) -> Mapping[str, ProductState]:
        """States of products; those that no event named are left out."""
        ...

    def since(self, sequence: int, limit: int = 256) -> Sequence[ProductState]:
        """States with a higher sequence, lowest first: each product once, as it is now.

        No state ever appears with a lower sequence than one that could be read before.
        """
        ...

    def position(self) -> int:
        """The highest sequence that was ever given, 0 before the first."""
        ...

    def applied(self, alias: str) -> Applied:
        """How far an alias is."""
        ...

    def advance(self, alias: str, sequence: int, delays_s: Sequence[float] = ()) -> None:
        """Records that states up to ``sequence`` are searchable behind an alias; it never goes back.

        Args:
            alias: the alias's name.
            sequence: as far as which nothing is missing.
            delays_s: of each state applied, seconds from appended to searchable.
        """
        ...

    def compact(self, before: datetime, sequence: int) -> int:
        """Forgets deletions and single fields whose versions are all older than a time, up to a sequence.

        Whole products are kept: without them a reindex from feeds would lose what only events brought. So the log is
        bounded by the number of products, plus deletions and updates of the time that is kept. A feed file that is
        older than what was forgotten must not be indexed any more: it would bring deleted products back.

        Args:
            before: timezone-aware.
            sequence: what is not applied yet is kept.

        Returns:
            How many states were forgotten.
        """
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...
