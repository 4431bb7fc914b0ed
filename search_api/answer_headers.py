"""Headers that middlewares put into answers that others make."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Message


def with_headers(message: Message, headers: Iterable[tuple[bytes, bytes]]) -> Message:
    """The message of an ASGI application with these headers as well, if it begins an answer; any other as it is."""
    if message["type"] != "http.response.start":
        return message
    return {**message, "headers": [*message.get("headers", ()), *headers]}
