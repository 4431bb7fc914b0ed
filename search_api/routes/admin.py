"""Routes that change the catalog, for keys with the scope admin: single products, index runs, how far both are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from indexer.errors import FeedNotFound, FeedTooLarge
from indexer.events.messages import (
    FieldsBody,
    ProductBody,
    ProductId,
    Version,
    delete_event,
    fields_event,
    upsert_event,
)
from search_api.access import Scope
from search_api.admin import AdminOnDemand, AdminService
from search_api.admin_schemas import (
    EventAnswer,
    FailureList,
    IndexRunAnswer,
    IndexRunList,
    IndexStatus,
    RunOrderBody,
    ServingStatus,
    event_answer,
    failure_answer,
    index_status,
    run_answer,
    serving_status,
)
from search_api.routes.auditing import AuditedRoute, name_target
from search_api.routes.dependencies import Parts, problems
from search_api.routes.products import ProductId as ProductIdInPath
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import media_type
from search_api.tenancy import TenantOfRequest

_T = TypeVar("_T")
_MAX_ORDER_BYTES = 64_000


router = scoped_router(Scope.ADMIN, tag="admin", route_class=AuditedRoute)
whole_router = scoped_router(Scope.ADMIN, tag="admin", route_class=AuditedRoute, whole=True)
"""Of what the whole installation does."""


def _service(request: Request) -> AdminService:
    return cast("AdminOnDemand", request.app.state.admin).get(cast("TenantOfRequest", request.app.state.tenant)())


Admin = Annotated[AdminService, Depends(_service)]
_product_id: TypeAdapter[str] = TypeAdapter(ProductId)
_RUN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": RunOrderBody.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "full": {"type": "boolean"},
                        "limit": {"type": "integer"},
                    },
                }
            },
        },
    }
}


@router.put("/v1/products/{product_id:path}", status_code=202, responses=problems(422, 503))
def put_product(product_id: ProductIdInPath, body: ProductBody, admin: Admin) -> EventAnswer:
    """Makes a product what is sent, new or known; its pictures are fetched and embedded soon after."""
    return event_answer(admin.append(upsert_event(_checked(product_id), body, admin.feeds_dir)))


@router.patch("/v1/products/{product_id:path}", status_code=202, responses=problems(422, 503))
def patch_product(product_id: ProductIdInPath, body: FieldsBody, admin: Admin) -> EventAnswer:
    """Changes single fields, price and stock above all; nothing is fetched or embedded."""
    return event_answer(admin.append(fields_event(_checked(product_id), body)))


@router.delete("/v1/products/{product_id:path}", status_code=202, responses=problems(422, 503))
def delete_product(
    product_id: ProductIdInPath, admin: Admin, updated_at: Annotated[Version | None, Query()] = None
) -> EventAnswer:
    """Removes a product; feeds that are older do not bring it back."""
    return event_answer(admin.append(delete_event(_checked(product_id), updated_at)))


@router.post("/v1/index-runs", status_code=202, responses=problems(413, 422, 503), openapi_extra=_RUN_BODY)
async def request_run(request: Request, admin: Admin) -> IndexRunAnswer:
    """Asks for a feed to be indexed: one that lies in feeds_dir, or one that is uploaded into it."""
    if media_type(request) == "multipart/form-data":
        order = await _uploaded(request, admin)
    else:
        order = _order(await _short_body(request))
        name_target(request, order.feed)
    run = await run_in_threadpool(admin.request_feed, order.feed, full=order.full, limit=order.limit)
    return run_answer(run)


@router.get("/v1/index-runs", responses=problems(503))
def list_runs(admin: Admin, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> IndexRunList:
    """The latest index runs, whoever asked for them; the events of a day are one run."""
    return IndexRunList(runs=[run_answer(run) for run in admin.runs(limit)])


@router.get("/v1/index-runs/{run_id}", responses=problems(404, 503))
def get_run(run_id: str, admin: Admin) -> IndexRunAnswer:
    """An index run and how far it is."""
    return run_answer(admin.run(run_id))


@router.get("/v1/index-runs/{run_id}/failures", responses=problems(404, 503))
def list_failures(
    run_id: str,
    admin: Admin,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> FailureList:
    """What is still missing of a run: product, picture, stage, code and reason."""
    failures = admin.failures(run_id)
    page = failures[offset : offset + limit]
    return FailureList(failures=[failure_answer(item) for item in page], total=len(failures))


@router.post("/v1/index-runs/{run_id}/retry", status_code=202, responses=problems(404, 503))
def retry_run(run_id: str, admin: Admin) -> IndexRunAnswer:
    """Asks for the failures of a run to be tried again."""
    return run_answer(admin.request_retry(run_id))


@router.get("/v1/index-status", responses=problems(503))
def get_index_status(admin: Admin) -> IndexStatus:
    """How far the index is behind the events, and how long events take to be searchable."""
    return index_status(admin.status())


@whole_router.get("/v1/serving-status")
async def get_serving_status(parts: Parts) -> ServingStatus:
    """What this process did for queries since it started: its cache of embeddings, and the model's batches."""
    return serving_status(parts.service.figures())


def _checked(product_id: str) -> str:
    return _validated(lambda: _product_id.validate_python(product_id), "product_id")


def _order(body: bytes) -> RunOrderBody:
    return _validated(lambda: RunOrderBody.model_validate_json(body))


async def _short_body(request: Request) -> bytes:
    """The body of an order, which is no feed: only those may be as long as they may."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_ORDER_BYTES:
            raise FeedTooLarge(
                f"An order has at most {_MAX_ORDER_BYTES} bytes.", "Upload a feed as multipart/form-data."
            )
    return bytes(body)


async def _uploaded(request: Request, admin: AdminService) -> RunOrderBody:
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise FeedNotFound("The form has no file in its field 'file'.", "Send the feed in that field.")
        options = {name: value for name, value in form.items() if name != "file"}
        name = file.filename
        name_target(request, name)
        # looked at before a byte is kept: an upload replaces the feed of its name
        _validated(lambda: RunOrderBody.model_validate({"feed": name, **options}))
        kept = await run_in_threadpool(admin.keep_feed, name, file.file)
        return _validated(lambda: RunOrderBody.model_validate({"feed": kept, **options}))


def _validated(validate: Callable[[], _T], *where: str) -> _T:
    """What pydantic makes of it; what it refuses is answered like any other request that does not fit."""
    try:
        return validate()
    except ValidationError as error:
        found = [{**item, "loc": (*where, *item["loc"])} for item in error.errors(include_context=False)]
        raise RequestValidationError(found) from error
