"""A product's state as JSON text, for logs that keep it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from indexer.events.port import FieldValue, ProductBase, ProductState
from indexer.products import CatalogProduct


def state_to_text(state: ProductState) -> str:
    """JSON of what events said; sequence and time of appending are not in it."""
    base: dict[str, Any] | None = None
    if state.base is not None:
        base = {
            "updated_at": state.base.updated_at.isoformat(),
            "product": state.base.product.to_json() if state.base.product else None,
            "image_root": state.base.image_root,
        }
    fields = {name: [value.updated_at.isoformat(), value.value] for name, value in state.fields.items()}
    return json.dumps({"base": base, "fields": fields}, ensure_ascii=False, sort_keys=True)


def state_from_text(product_id: str, text: str, sequence: int, appended_at: datetime) -> ProductState:
    """Reads what ``state_to_text`` wrote.

    Raises:
        KeyError, TypeError, ValueError: it was not written by it.
    """
    value = json.loads(text)
    base = None
    if value["base"] is not None:
        product = value["base"]["product"]
        base = ProductBase(
            datetime.fromisoformat(value["base"]["updated_at"]),
            None if product is None else CatalogProduct.from_json(product),
            value["base"]["image_root"],
        )
    fields = {name: FieldValue(datetime.fromisoformat(at), item) for name, (at, item) in value["fields"].items()}
    return ProductState(product_id, base, fields, sequence, appended_at)
