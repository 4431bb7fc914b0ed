"""``/v1/search/*``: products by photo and by text."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.routes.dependencies import Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import IMAGE_BODY, uploaded_photo
from search_api.schemas import Limit as LimitField
from search_api.schemas import Offset as OffsetField
from search_api.schemas import SearchResponse, TextQuery, Timings, product_hit
from search_api.service import Page, TimedAnswer

router = scoped_router(Scope.SEARCH, tag="search", prefix="/v1/search")

Limit = Annotated[LimitField, Query()]
Offset = Annotated[OffsetField, Query()]


@router.post(
    "/image", response_model=SearchResponse, responses=problems(409, 413, 415, 422, 503), openapi_extra=IMAGE_BODY
)
async def search_by_image(request: Request, parts: Parts, limit: Limit = 20, offset: Offset = 0) -> Response:
    """Products that look like a photo, sent as a multipart `file` or as a raw `image/*` body."""
    data = await uploaded_photo(request, parts.limits)
    return search_response(await unless_gone(request, parts.service.by_image(data, Page(limit, offset))))


@router.post("/text", response_model=SearchResponse, responses=problems(409, 422, 503))
async def search_by_text(request: Request, query: TextQuery, parts: Parts) -> Response:
    """Products that a text describes, in any language of the model."""
    found = parts.service.by_text(query.text, Page(query.limit, query.offset))
    return search_response(await unless_gone(request, found))


def search_response(found: TimedAnswer) -> Response:
    """An answer as the API shows it; made into JSON here, as FastAPI would validate it once more first."""
    answer = SearchResponse(
        hits=[product_hit(hit) for hit in found.answer.hits],
        space_id=found.space_id,
        collection=found.answer.collection,
        timings_ms=Timings(
            decode=round(found.decode_ms, 3),
            embed=round(found.embed_ms, 3),
            search=round(found.search_ms, 3),
            total=round(found.total_ms, 3),
            embedding_source=found.source,
        ),
    )
    return Response(answer.model_dump_json(), media_type="application/json")
