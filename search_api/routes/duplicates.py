"""``POST /v1/duplicates``: whether a picture is in the catalog already, and whose it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from indexer.points import StoredPoint
from indexer.store.ranking import RankedPoint
from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.duplicates import FoundDuplicates
from search_api.find_answer import offer_of
from search_api.find_schemas import DuplicateHit, DuplicatesResponse
from search_api.routes.dependencies import Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import IMAGE_BODY, uploaded_photo
from search_api.schemas import ImageLink, image_url
from search_api.schemas import Limit as LimitField

router = scoped_router(Scope.SEARCH, tag="search", prefix="/v1/duplicates")

Limit = Annotated[LimitField, Query()]


@router.post(
    "", response_model=DuplicatesResponse, responses=problems(409, 413, 415, 422, 503), openapi_extra=IMAGE_BODY
)
async def duplicates(request: Request, parts: Parts, limit: Limit = 20) -> Response:
    """Products that show a picture, sent as a multipart `file` or as a raw `image/*` body: the same file, or a copy."""
    data = await uploaded_photo(request, parts.limits)
    found = await unless_gone(request, parts.duplicates.find(data, limit))
    return Response(_response(found).model_dump_json(), media_type="application/json")


def _response(found: FoundDuplicates) -> DuplicatesResponse:
    same, near = (
        [_hit(item, found.points[item.id]) for item in items if item.id in found.points]
        for items in (found.same, found.near)
    )
    return DuplicatesResponse(
        in_catalog=bool(same or near),
        same_picture=same,
        near_duplicates=near,
        threshold=round(found.threshold, 6),
        notes=list(found.notes),
        space_id=found.space_id,
        collection=found.collection,
    )


def _hit(item: RankedPoint, point: StoredPoint) -> DuplicateHit:
    image = ImageLink(url=image_url(point.payload), position=point.payload.position)
    return DuplicateHit(product_id=item.product_id, score=round(item.score, 6), image=image, offer=offer_of(point))
