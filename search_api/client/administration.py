"""Calls for who holds the admin key: products, index runs and how far they are; each is a method of both clients."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter

from indexer.events.messages import FieldsBody, ProductBody
from search_api.admin_schemas import (
    EventAnswer,
    FailureList,
    IndexRunAnswer,
    IndexRunList,
    IndexStatus,
    RunOrderBody,
    ServingStatus,
)
from search_api.client.call import Call, FormFile, given, reading, segment, sent

_Body = TypeVar("_Body", bound=BaseModel)


def put_product(product_id: str, product: ProductBody | Mapping[str, Any]) -> Call[EventAnswer]:
    """Makes a product what is sent, new or known; searchable seconds later.

    Args:
        product_id: the feed's own id.
        product: the whole product; with ``updated_at``, an older one never overwrites a newer state.

    Raises:
        pydantic.ValidationError: it is no product.
    """
    path = f"/v1/products/{segment(product_id)}"
    return Call("PUT", path, reading(EventAnswer), json=_body(ProductBody, product), admin=True)


def patch_product(product_id: str, fields: FieldsBody | Mapping[str, Any]) -> Call[EventAnswer]:
    """Changes single fields of a product, price and stock above all; what is left out stays as it is.

    Raises:
        pydantic.ValidationError: a field is unknown or does not fit.
    """
    path = f"/v1/products/{segment(product_id)}"
    return Call("PATCH", path, reading(EventAnswer), json=_body(FieldsBody, fields), admin=True)


def delete_product(product_id: str, *, updated_at: datetime | None = None) -> Call[EventAnswer]:
    """Removes a product; older feeds and events do not bring it back.

    Args:
        product_id: the feed's own id.
        updated_at: when the shop removed it, with a time zone; now if not given.
    """
    path = f"/v1/products/{segment(product_id)}"
    return Call("DELETE", path, reading(EventAnswer), given({"updated_at": updated_at}), admin=True)


def request_run(feed: str, *, full: bool = False, limit: int = 0) -> Call[IndexRunAnswer]:
    """Asks for a feed in the API's ``feeds_dir`` to be indexed; not repeated by itself, as that would be two runs.

    Args:
        feed: path relative to ``feeds_dir``.
        full: also remove products that the feed does not name.
        limit: take the first products only; 0: all.
    """
    order = RunOrderBody(feed=feed, full=full, limit=limit)
    path = "/v1/index-runs"
    return Call("POST", path, reading(IndexRunAnswer), json=sent(order), repeatable=False, admin=True)


def upload_feed(feed: str | os.PathLike[str], *, full: bool = False, limit: int = 0) -> Call[IndexRunAnswer]:
    """Sends a feed's file and asks for it to be indexed; not repeated by itself. Large ones need a longer deadline."""
    path = Path(feed)
    options = (("full", "true"),) if full else ()
    limits = (("limit", str(limit)),) if limit else ()
    return Call(
        "POST",
        "/v1/index-runs",
        reading(IndexRunAnswer),
        form=(*options, *limits),
        files=(FormFile("file", path.name, path),),
        repeatable=False,
        admin=True,
    )


def retry_run(run_id: str) -> Call[IndexRunAnswer]:
    """Asks for the failures of a run to be tried again; not repeated by itself."""
    path = f"/v1/index-runs/{segment(run_id)}/retry"
    return Call("POST", path, reading(IndexRunAnswer), repeatable=False, admin=True)


def runs(*, limit: int = 20) -> Call[IndexRunList]:
    """The latest index runs, whoever asked for them."""
    return Call("GET", "/v1/index-runs", reading(IndexRunList), given({"limit": limit}), admin=True)


def run(run_id: str) -> Call[IndexRunAnswer]:
    """An index run and how far it is."""
    return Call("GET", f"/v1/index-runs/{segment(run_id)}", reading(IndexRunAnswer), admin=True)


def failures(run_id: str, *, limit: int = 100, offset: int = 0) -> Call[FailureList]:
    """What is still missing of a run, a page of it."""
    path = f"/v1/index-runs/{segment(run_id)}/failures"
    return Call("GET", path, reading(FailureList), given({"limit": limit, "offset": offset}), admin=True)


def index_status() -> Call[IndexStatus]:
    """How far the index is behind the events."""
    return Call("GET", "/v1/index-status", reading(IndexStatus), admin=True)


def serving_status() -> Call[ServingStatus]:
    """What the API's process did for queries since it started."""
    return Call("GET", "/v1/serving-status", reading(ServingStatus), admin=True)


def _body(model: type[_Body], value: _Body | Mapping[str, Any]) -> bytes:
    """As it was given, if it was not given as a model: what the model does to texts, the API does itself."""
    if isinstance(value, BaseModel):
        return sent(value)
    model.model_validate(value)
    return TypeAdapter(dict[str, Any]).dump_json(dict(value))
