"""Finds out who each request comes from, before a route or its body is looked at."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from search_api import access

STATE_KEY = "access"
"""Where ``scope["state"]`` has the request's :class:`search_api.access.Access`."""


class Authentication:
    """Sets ``access.current`` for each request.

    Args:
        app: what is protected.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = access.OPEN
        scope.setdefault("state", {})[STATE_KEY] = found
        token = access.current.set(found)
        try:
            await self._app(scope, receive, send)
        finally:
            access.current.reset(token)
