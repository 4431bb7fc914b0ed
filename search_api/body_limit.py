"""A bound on what a request may send, kept while it is received."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.errors import FeedTooLarge, ImageTooLarge, VitrineError
from indexer.images.limits import ImageLimits
from search_api.problems import problem_of

_MULTIPART_OVERHEAD_BYTES = 64_000
UPLOAD_PATH = "/v1/index-runs"
SEARCH_PATH = "/v1/search"
_BASE64_SHARE = 4 / 3
"""Of the bytes that it stands for; a photo may come so in JSON."""


class BodyLimit:
    """Answers 413 as soon as a body is, or declares to be, larger than the largest picture, or feed, and its envelope.

    Args:
        app: what is protected.
        limits: of a picture; no other body is larger, but for feeds.
        feed_max_bytes: of a feed.
    """

    def __init__(self, app: ASGIApp, limits: ImageLimits, feed_max_bytes: int) -> None:
        self._app = app
        self._limits = limits
        self._feed_max_bytes = feed_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_feed = scope["path"] == UPLOAD_PATH
        limit = (self._feed_max_bytes if is_feed else self._limits.max_bytes) + _MULTIPART_OVERHEAD_BYTES
        if scope["path"] == SEARCH_PATH:
            limit = int(limit * _BASE64_SHARE)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await problem_of(self._too_large(is_feed=is_feed))(scope, receive, send)
            return
        received = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise self._too_large(is_feed=is_feed)
            return message

        await self._app(scope, counting_receive, send)

    def _too_large(self, *, is_feed: bool) -> VitrineError:
        if is_feed:
            return FeedTooLarge(
                f"The feed is larger than the limit of {self._feed_max_bytes} bytes.",
                "Pack it with gzip, or raise feed_max_bytes.",
            )
        return ImageTooLarge(
            f"The upload is larger than the limit of {self._limits.max_megabytes}.", "Send a smaller picture."
        )
