"""Where feeds meet events: a product that events know newer is indexed as they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from indexer.events.merge import Deleted, Patched, Replaced, resolve, with_fields
from indexer.events.port import EventLog, ProductState
from indexer.indexing.batch import ProductBatch
from indexer.products import CatalogProduct


class EventOverlay:
    """Puts the states of an event log over batches of a feed.

    A row's version is its own ``updated_at``, or else the time at which its file was written. Where the events' is as
    new or newer they hold: a deleted product is left out, a whole product takes the row's place, single fields are set
    in it.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def applied_to(self, batch: ProductBatch) -> ProductBatch:
        """The batch as it is to be indexed.

        Raises:
            EventsUnavailable: the log cannot be read.
        """
        position = self._log.position()
        states = self._log.latest([product.product_id for product in batch.products])
        if not states:
            return replace(batch, event_position=position)
        products: list[CatalogProduct] = []
        roots = dict(batch.image_roots)
        deleted: list[str] = []
        for product in batch.products:
            state = states.get(product.product_id)
            outcome = resolve(state, product.updated_at or batch.as_of) if state else Patched({})
            match outcome:
                case Deleted():
                    deleted.append(product.product_id)
                case Replaced():
                    products.append(replace(outcome.product, line=product.line))
                    roots[product.product_id] = outcome.image_root
                case Patched():
                    products.append(with_fields(product, outcome.fields) if outcome.fields else product)
        return replace(
            batch,
            products=tuple(products),
            image_roots=roots,
            deleted_ids=(*batch.deleted_ids, *deleted),
            event_position=position,
        )

    def overtaken(self, batch: ProductBatch) -> ProductBatch | None:
        """The part of a batch whose products changed while it was indexed; None if there is none, as nearly always.

        Args:
            batch: from ``applied_to``, now written.
        """
        if self._log.position() == batch.event_position:
            return None
        states = self._log.latest([product.product_id for product in batch.products])
        newer = {key for key, state in states.items() if state.sequence > batch.event_position}
        products = tuple(product for product in batch.products if product.product_id in newer)
        return replace(batch, products=products, row_errors=(), deleted_ids=()) if products else None

    def kept(self, product_ids: Sequence[str], as_of: datetime | None) -> frozenset[str]:
        """Products that a feed does not name, but newer events do: a full run must not remove them.

        Args:
            product_ids: to ask for.
            as_of: when the feed was written; None if that is not known: then every product of an event is kept.
        """
        return frozenset(
            product_id for product_id, state in self._log.latest(product_ids).items() if _is_whole(state, as_of)
        )


def _is_whole(state: ProductState, as_of: datetime | None) -> bool:
    return isinstance(resolve(state, as_of), Replaced)
