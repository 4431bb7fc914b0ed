"""``/v1/products/*``: what is indexed of a product, what is similar to it, its pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from indexer.errors import ProductImageNotFound
from indexer.products import is_remote
from search_api.access import Scope
from search_api.images import PictureSize
from search_api.routes.caching import cache_headers
from search_api.routes.dependencies import Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.search import Limit, Offset, search_response
from search_api.schemas import ProductResponse, SearchResponse, product_response
from search_api.service import Page

router = scoped_router(Scope.SEARCH, tag="products", prefix="/v1/products")

ProductId = Annotated[str, Path(description="The feed's own id, percent-encoded.", max_length=512)]
_DAY_S = 86_400


# ids may hold slashes, which arrive decoded: hence path converters, and the longer routes first
@router.get(
    "/{product_id:path}/images/{position}",
    responses={200: {"content": {"image/jpeg": {}}}, **problems(404, 409, 422, 503)},
    response_class=Response,
)
async def product_image(
    product_id: ProductId,
    position: Annotated[int, Path(ge=0)],
    request: Request,
    parts: Parts,
    size: Annotated[PictureSize, Query(description="Longer side at most 480 px by default, or 2048 px.")] = (
        PictureSize.FULL
    ),
) -> Response:
    """One of a product's pictures as JPEG, as it was indexed; a picture with a URL of its own is redirected to."""
    points = await parts.service.product(product_id)
    payload = next((point.payload for point in points if point.payload.position == position), None)
    if payload is None:
        raise ProductImageNotFound(f"The product {product_id!r} has no indexed picture {position}.")
    if is_remote(payload.image_ref):
        return RedirectResponse(payload.image_ref)
    etag = f'"{parts.images.etag(payload, size)}"'
    headers = {"ETag": etag, **cache_headers(_DAY_S)}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    picture = await parts.service.in_thread(lambda: parts.images.picture(payload, size))
    return Response(picture.jpeg, media_type="image/jpeg", headers=headers)


@router.get("/{product_id:path}/similar", response_model=SearchResponse, responses=problems(404, 409, 422, 503))
async def similar_products(product_id: ProductId, parts: Parts, limit: Limit = 20, offset: Offset = 0) -> Response:
    """Products that look like a product's main picture, itself left out."""
    return search_response(await parts.service.similar(product_id, Page(limit, offset)))


@router.get("/{product_id:path}", responses=problems(404, 409, 503))
async def product(product_id: ProductId, parts: Parts) -> ProductResponse:
    """All that is indexed of a product."""
    return product_response(await parts.service.product(product_id))
