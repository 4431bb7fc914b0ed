"""What every route gets from the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from indexer.images.decoder import Decoder
from indexer.images.limits import ImageLimits
from search_api.duplicates import DuplicateSearch
from search_api.heat_maps import HeatMaps
from search_api.images import ProductImages
from search_api.photo_regions import PhotoRegions
from search_api.product_search import ProductSearch
from search_api.schemas import Problem
from search_api.service import SearchService
from search_api.zero_shot import ZeroShotService


@dataclass(frozen=True, slots=True)
class ApiParts:
    """The running parts behind the routes."""

    service: SearchService
    images: ProductImages
    limits: ImageLimits
    search: ProductSearch
    duplicates: DuplicateSearch
    zero_shot: ZeroShotService
    regions: PhotoRegions
    heat_maps: HeatMaps
    decoder: Decoder


async def parts_of(request: Request) -> ApiParts:
    """The parts of the app that a request came to; awaited, as FastAPI gives what is not to a thread."""
    return cast("ApiParts", request.app.state.parts)


Parts = Annotated[ApiParts, Depends(parts_of)]


def problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The error responses of a route, for OpenAPI."""
    content = {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"content": content, "description": "Problem (RFC 9457)"} for status in statuses}
