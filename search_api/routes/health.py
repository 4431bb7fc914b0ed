"""``/healthz`` and ``/readyz``: whether the process lives, and whether it can answer queries."""

from __future__ import annotations

from fastapi import APIRouter

from search_api.routes.dependencies import Parts, problems

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """The process lives; says nothing of model and store."""
    return {"status": "ok"}


@router.get("/readyz", responses=problems(409, 503))
async def ready(parts: Parts) -> dict[str, str]:
    """Model and store answered just now; otherwise 503 with the reason."""
    space_id, collection = await parts.service.check()
    return {"status": "ready", "space_id": space_id, "collection": collection}
