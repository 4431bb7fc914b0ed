"""``/v1/products/*/images/*/heat``: which places of two pictures agree, as a PNG to lay over one of them."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from indexer.errors import ProductImageNotFound
from indexer.points import StoredPoint
from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.heat_maps import unpacked
from search_api.routes.caching import cache_headers
from search_api.routes.dependencies import ApiParts, Parts, problems
from search_api.routes.products import ProductId
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import IMAGE_BODY, uploaded_photo

router = scoped_router(Scope.SEARCH, tag="products", prefix="/v1/products")

Position = Annotated[int, Path(ge=0)]
Toward = Annotated[
    str, Query(max_length=8192, description="Of a query, as heat_map_url of an explanation in POST /v1/search has it.")
]
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
_HOUR_S = 3600


@router.get(
    "/{product_id:path}/images/{position}/heat",
    responses={**_PNG, **problems(404, 422, 501, 503)},
    response_class=Response,
)
async def picture_heat(
    product_id: ProductId, position: Position, toward: Toward, request: Request, parts: Parts
) -> Response:
    """The places of a product's picture that agree with a query: a square PNG, to be stretched over the picture."""
    vector = unpacked(toward, parts.service.dim)
    if vector is None:
        wrong = {"type": "value_error", "loc": ("query", "toward"), "msg": "it holds no vector of this model"}
        raise RequestValidationError([wrong])
    point = await _point(parts, product_id, position)
    etag = f'"{hashlib.sha256(f"{point.payload.image_sha256}{toward}".encode()).hexdigest()[:20]}"'
    headers = {"ETag": etag, **cache_headers(_HOUR_S, private=True)}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    png = await unless_gone(request, parts.heat_maps.of_product(point.payload, vector))
    return Response(png, media_type="image/png", headers=headers)


@router.post(
    "/{product_id:path}/images/{position}/heat",
    responses={**_PNG, **problems(404, 413, 415, 422, 501, 503)},
    response_class=Response,
    openapi_extra=IMAGE_BODY,
)
async def photo_heat(product_id: ProductId, position: Position, request: Request, parts: Parts) -> Response:
    """The places of an uploaded photo that agree with a product's picture: a square PNG, to be stretched over it."""
    data = await uploaded_photo(request, parts.limits)
    point = await _point(parts, product_id, position)
    vectors = await parts.service.reader().vectors([point.id])
    if point.id not in vectors:
        raise _unknown(product_id, position)  # removed between the two calls
    png = await unless_gone(request, parts.heat_maps.of_photo(data, vectors[point.id]))
    return Response(png, media_type="image/png")


async def _point(parts: ApiParts, product_id: str, position: int) -> StoredPoint:
    for point in await parts.service.product(product_id):
        if point.payload.position == position:
            return point
    raise _unknown(product_id, position)


def _unknown(product_id: str, position: int) -> ProductImageNotFound:
    return ProductImageNotFound(f"The product {product_id!r} has no indexed picture {position}.")
