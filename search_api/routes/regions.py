"""``/v1/regions``: the objects in a photo, to choose one from."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import Response

from indexer.images.decoder import Decoder
from indexer.regions.box import Crop
from indexer.regions.choice import FOUND_MARGIN
from indexer.regions.salience import Region
from search_api.access import Scope
from search_api.departures import unless_gone
from search_api.photo_regions import FoundRegions
from search_api.region_schemas import PhotoRegion, RegionsResponse
from search_api.routes.dependencies import ApiParts, Parts, problems
from search_api.routes.scopes import scoped_router
from search_api.routes.uploads import IMAGE_BODY, uploaded_photo

router = scoped_router(Scope.SEARCH, tag="search", prefix="/v1/regions")

_CROP_PX = 160
_JPEG_QUALITY = 80


@router.post("", response_model=RegionsResponse, responses=problems(413, 415, 422, 503), openapi_extra=IMAGE_BODY)
async def regions(request: Request, parts: Parts, crops: bool = True) -> Response:
    """The objects in a photo, sent as a multipart `file` or as a raw `image/*` body; `crops=false` leaves crops out."""
    data = await uploaded_photo(request, parts.limits)
    answer = await unless_gone(request, _answer(parts, data, with_crops=crops))
    return Response(answer.model_dump_json(), media_type="application/json")


async def _answer(parts: ApiParts, data: bytes, *, with_crops: bool) -> RegionsResponse:
    found: FoundRegions = await parts.regions.find(data)
    pictures: Sequence[str | None] = [None] * len(found.regions)
    if with_crops and found.regions:
        pictures = await parts.service.in_thread(lambda: _crops(data, found.regions, parts.decoder))
    return RegionsResponse(
        regions=[
            PhotoRegion(
                box=(region.box.left, region.box.top, region.box.right, region.box.bottom),
                score=region.score,
                crop_url=picture,
                label=region.label or None,
            )
            for region, picture in zip(found.regions, pictures, strict=True)
        ],
        method=found.method,
        note=found.note,
    )


def _crops(data: bytes, found: Sequence[Region], decoder: Decoder) -> list[str]:
    """Small JPEGs, inline: the photo is not kept here, so there is no address to give."""
    image = decoder.picture(data, min_side_px=2 * _CROP_PX).image
    made = []
    for region in found:
        picture = Crop(region.box, FOUND_MARGIN).of(image)
        picture.thumbnail((_CROP_PX, _CROP_PX))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_JPEG_QUALITY)
        made.append(f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}")
    return made
