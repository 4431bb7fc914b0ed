"""How events come together: the same state in whatever order, and how often, they are delivered.

Every whole word (an upsert or a deletion) and every value of a single field has a version, its ``updated_at``. Of each
the newest stays, and a field counts only if it is not older than the newest whole word. Where two versions are equal,
a deletion beats an upsert, a single field beats a whole product, and between two of a kind the greater text of their
JSON stays: a rule that means nothing, but is the same everywhere. What comes without a version is put behind all that
is known of its product: it counts in the order in which it came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from indexer.events.port import EventKind, FieldValue, ProductBase, ProductEvent, ProductState
from indexer.products import CatalogProduct

_LEAST_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Merged:
    """A state with an event in it.

    Attributes:
        state: after the event; its sequence and time are those before it.
        changed: whether the event changed anything.
        stale: whether nothing of the event is in the state.
        ignored_fields: of an update, fields that are not in the state.
    """

    state: ProductState
    changed: bool
    stale: bool
    ignored_fields: tuple[str, ...] = ()


def merge(state: ProductState | None, event: ProductEvent) -> Merged:
    """Brings an event into a product's state; commutative, associative and idempotent for events that are dated.

    Args:
        state: as it is; None if nothing is known of the product.
        event: of the same product.
    """
    before = state or ProductState(event.product_id)
    known = newest(before)
    if not event.dated and known is not None and event.updated_at <= known:
        event = replace(event, updated_at=known + _LEAST_STEP)
    if event.kind is EventKind.UPDATE_FIELDS:
        return _with_fields(before, event)
    base = ProductBase(event.updated_at, event.product, event.image_root)
    if before.base is not None and _rank(before.base) >= _rank(base):
        return Merged(before, changed=False, stale=_rank(before.base) > _rank(base))
    fields = {name: value for name, value in before.fields.items() if value.updated_at >= base.updated_at}
    return Merged(replace(before, base=base, fields=fields), changed=True, stale=False)


@dataclass(frozen=True, slots=True)
class Deleted:
    """Events say that the product is no more."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Events say what the product is as a whole."""

    product: CatalogProduct
    image_root: str


@dataclass(frozen=True, slots=True)
class Patched:
    """What is known otherwise holds, with these fields, plain JSON values, on top; there may be none."""

    fields: Mapping[str, Any]


def resolve(state: ProductState, known_at: datetime | None) -> Deleted | Replaced | Patched:
    """What holds when something else is known of the product as well: a feed's row, or what is in the store.

    Args:
        state: what events say.
        known_at: version of the other knowledge; the events win where theirs is as new. None: they win in any case.
    """
    base = state.base
    if base is not None and (known_at is None or base.updated_at >= known_at):
        if base.product is None:
            return Deleted()
        fields = {name: value.value for name, value in state.fields.items()}
        return Replaced(with_fields(replace(base.product, updated_at=base.updated_at), fields), base.image_root)
    return Patched(
        {name: value.value for name, value in state.fields.items() if known_at is None or value.updated_at >= known_at}
    )


def with_fields(product: CatalogProduct, fields: Mapping[str, Any]) -> CatalogProduct:
    """A product with single fields, plain JSON values, set; its ``updated_at`` stays that of the whole product."""
    values = dict(fields)
    if "category" in values:
        values["category"] = tuple(values["category"])
    if "attributes" in values:
        values["attributes"] = dict(values["attributes"])
    return replace(product, **values)


def newest(state: ProductState) -> datetime | None:
    """The highest version in a state; None if it is empty."""
    versions = [value.updated_at for value in state.fields.values()]
    return max([*versions, *([state.base.updated_at] if state.base else [])], default=None)


def _with_fields(before: ProductState, event: ProductEvent) -> Merged:
    fields = dict(before.fields)
    ignored: list[str] = []
    changed = False
    for name, value in event.fields.items():
        mine = FieldValue(event.updated_at, value)
        theirs = fields.get(name)
        if (before.base is not None and before.base.updated_at > mine.updated_at) or (
            theirs is not None and _field_rank(theirs) > _field_rank(mine)
        ):
            ignored.append(name)
        elif theirs is None or _field_rank(theirs) < _field_rank(mine):
            fields[name] = mine
            changed = True
    stale = len(ignored) == len(event.fields)
    return Merged(replace(before, fields=fields) if changed else before, changed, stale, tuple(ignored))


def _rank(base: ProductBase) -> tuple[datetime, bool, str]:
    product = json.dumps(base.product.to_json(), sort_keys=True) if base.product else ""
    return base.updated_at, base.product is None, product + base.image_root


def _field_rank(field: FieldValue) -> tuple[datetime, str]:
    return field.updated_at, json.dumps(field.value, sort_keys=True)
