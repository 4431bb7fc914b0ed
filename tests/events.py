"""Events that the tests make up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from indexer.events.port import EventKind, EventLog, ProductEvent
from indexer.products import CatalogProduct

START = datetime.now(UTC)


class OneLog:
    """The logs of an installation without tenants."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def of(self, tenant: str) -> EventLog:
        assert tenant == ""
        return self._log

    def tenants(self) -> list[str]:
        return []

    def close(self) -> None:
        """Whoever opened the log closes it."""


def at(seconds: float) -> datetime:
    """A moment near the beginning of the test run."""
    return START + timedelta(seconds=seconds)


def upsert(product_id: str, seconds: float, *refs: str, root: str = "", **fields: Any) -> ProductEvent:
    """A whole product with these pictures."""
    product = CatalogProduct(product_id, fields.pop("title", f"Title of {product_id}"), refs, **fields)
    return ProductEvent(product_id, EventKind.UPSERT, at(seconds), product=product, image_root=root)


def delete(product_id: str, seconds: float) -> ProductEvent:
    """A deletion."""
    return ProductEvent(product_id, EventKind.DELETE, at(seconds))


def patch(product_id: str, seconds: float, **fields: Any) -> ProductEvent:
    """New values of single fields."""
    return ProductEvent(product_id, EventKind.UPDATE_FIELDS, at(seconds), fields=fields)
