"""``/metrics``: the figures that Prometheus asks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import Response

from indexer.errors import KeyRequired
from indexer.telemetry.exposition import MEDIA_TYPE, exposition
from search_api import access
from search_api.authentication import key_in
from search_api.keys.records import digest_of, is_same
from search_api.live_figures import LiveFigures

router = APIRouter(tags=["health"])
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """What the page is made of.

    Attributes:
        live: figures of now.
        key: that opens it, empty if there is none.
        folder: where processes beside this one leave their figures; None: nowhere.
    """

    live: LiveFigures
    key: str
    folder: Path | None


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Figures of this process and of the indexer processes beside it.

    Raises:
        KeyRequired: who asks is elsewhere and has no key.
    """
    page = cast("MetricsPage", request.app.state.metrics)
    if not may_see(request, page.key):
        raise KeyRequired(
            "Figures are for this machine, and for who has a key.",
            "Send metrics_key, or a key for administration, as Authorization: Bearer.",
        )
    live = await page.live.families()
    return Response(await asyncio.to_thread(exposition, live, page.folder), media_type=MEDIA_TYPE)


def may_see(request: Request, key: str) -> bool:
    """Whether figures are for who sends a request.

    Args:
        request: after authentication.
        key: that opens them, empty if there is none.
    """
    given = key_in(request.headers)
    if key and is_same(digest_of(given.encode("latin-1", "replace")), digest_of(key.encode())):
        return True
    found = access.current.get()
    if access.Scope.ADMIN in found.scopes and not found.tenant:  # figures are of the whole installation
        return True
    return not key and not given and _is_this_machine(request)


def _is_this_machine(request: Request) -> bool:
    """Not behind a proxy of this machine either: what it passes on comes from anywhere."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
