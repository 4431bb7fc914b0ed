"""``/``: the web page, served from files beside this code; nothing of it is loaded from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, Request
from fastapi.responses import Response

from search_api import __name__ as package

router = APIRouter(include_in_schema=False)

_MEDIA_TYPES_BY_SUFFIX = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MEDIA_TYPES = {
    file.name: _MEDIA_TYPES_BY_SUFFIX[PurePath(file.name).suffix]
    for file in files(package).joinpath("page").iterdir()
    if PurePath(file.name).suffix in _MEDIA_TYPES_BY_SUFFIX
}


@router.get("/")
async def page(request: Request) -> Response:
    """The search page."""
    return _file("index.html", request)


@router.get("/page/{name}")
async def page_file(name: str, request: Request) -> Response:
    """Script, style and icon of the page."""
    return _file(name, request) if name in _MEDIA_TYPES else Response(status_code=404)


def _file(name: str, request: Request) -> Response:
    content = files(package).joinpath("page", name).read_bytes()
    headers = {"Cache-Control": "no-cache", "ETag": f'"{hashlib.sha256(content).hexdigest()[:20]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_MEDIA_TYPES[name], headers=headers)
