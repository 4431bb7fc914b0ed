"""All routes of an app, for tests that no new one may escape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


def routes_of(app: FastAPI) -> list[APIRoute]:
    """The API's own, those of included routers too."""
    return [route for route in _flat(app.routes) if isinstance(route, APIRoute)]


def other_paths_of(app: FastAPI) -> set[str]:
    """Paths of what else is routed; a route without one is an error."""
    return {route.path for route in _flat(app.routes) if not isinstance(route, APIRoute)}  # type: ignore[attr-defined]


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        router = getattr(route, "original_router", None)  # how FastAPI keeps a router that was included
        if router is None:
            yield route
        else:
            yield from _flat(router.routes)
