"""An id for each request: in its answer, in its problem document, and in what is logged for it."""

from __future__ import annotations

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.telemetry.context import of_request
from search_api.answer_headers import with_headers

HEADER = "X-Request-ID"
_ENCODED = HEADER.lower().encode("ascii")
_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,64}")
"""UUIDs, ULIDs, trace ids and what load balancers make; nothing that could end a log line or begin another field."""
_MADE_BYTES = 8


class RequestIds:
    """Takes the id that a request brings, if it is sane, else makes one.

    Args:
        app: the whole rest; this has to be outside everything that answers or logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _ENCODED), b"")
        request_id = given.decode("ascii") if _SANE.fullmatch(given) else secrets.token_hex(_MADE_BYTES)
        header = (_ENCODED, request_id.encode("ascii"))

        async def send_with_id(message: Message) -> None:
            await send(with_headers(message, [header]))

        with of_request(request_id):
            await self._app(scope, receive, send_with_id)
