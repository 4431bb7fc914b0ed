"""Bounds on the body of a request, kept while it is received: bytes, time, and the shape of JSON."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.errors import FeedTooLarge, ImageTooLarge, JsonTooLarge, RequestSlow, VitrineError
from indexer.images.limits import ImageLimits
from search_api.limits.json_shape import JsonShape
from search_api.problems import problem_of

MAX_JSON_BYTES = 2_000_000
"""Where no photo may be in it; the largest product of an event needs less."""
UPLOAD_PATH = "/v1/index-runs"
_PHOTO_PATHS = frozenset({"/v1/search", "/v1/classify", "/v1/embed"})
"""Where a photo may come in JSON."""
_MULTIPART_OVERHEAD_BYTES = 64_000
_BASE64_SHARE = 4 / 3
"""Of the bytes that it stands for."""
_FEED_BYTES_PER_TIMEOUT = 10_000_000
_OTHER_MEDIA = ("multipart/", "image/", "application/octet-stream")
"""All else is read as JSON by one route or another."""


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What bounds every body.

    Attributes:
        image: of a picture; no other body is larger, but for feeds.
        feed_max_bytes: of a feed.
        timeout_s: for a whole body; a feed has as long again for each 10 MB that came.
    """

    image: ImageLimits
    feed_max_bytes: int
    timeout_s: float


class BodyLimit:
    """Answers 413, 408 or 422 as soon as a body is, or declares to be, more than it may.

    Args:
        app: what is protected.
        bounds: of bodies.
    """

    def __init__(self, app: ASGIApp, bounds: BodyBounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, self._bounds)
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if body.refusal is None or started:
                started = True
                await send(message)
            elif message["type"] == "http.response.start":
                # whatever the app makes of what it could not read, the answer is what was wrong with it
                await problem_of(body.refusal)(scope, receive, send)

        if refusal := body.too_large(body.declared_bytes):
            await problem_of(refusal)(scope, receive, send)
            return
        await self._app(scope, body.receiving(receive), guarded_send)


class _Body:
    """One body while it comes."""

    def __init__(self, scope: Scope, bounds: BodyBounds) -> None:
        headers = Headers(scope=scope)
        self._bounds = bounds
        self._is_feed = scope["path"] == UPLOAD_PATH
        is_json = not headers.get("content-type", "").strip().lower().startswith(_OTHER_MEDIA)
        self._shape = JsonShape() if is_json else None
        self._limit_bytes = self._limit(scope["path"], is_json=is_json)
        declared = headers.get("content-length", "0")
        self.declared_bytes = int(declared) if declared.isdecimal() and declared.isascii() else 0
        self.refusal: VitrineError | None = None
        """Why the rest is not read."""
        self._received = 0
        self._complete = False

    def receiving(self, receive: Receive) -> Receive:
        """Gives the body on, and raises what is wrong with it.

        Raises:
            VitrineError: the same however often it is asked.
        """
        start_s = asyncio.get_running_loop().time()

        async def checked_receive() -> Message:
            if self.refusal is not None:
                raise self.refusal
            if self._complete:  # what comes is the news that the client is gone
                return await receive()
            try:
                async with asyncio.timeout_at(start_s + self._allowed_s()):
                    message = await receive()
            except TimeoutError as error:
                self.refusal = RequestSlow(
                    f"The body did not come within {self._allowed_s():g} s.", "Send it faster, or less of it."
                )
                raise self.refusal from error
            self._check(message)
            return message

        return checked_receive

    def too_large(self, size_bytes: int) -> VitrineError | None:
        """What is wrong with so many bytes, if anything is."""
        if size_bytes <= self._limit_bytes:
            return None
        if self._is_feed:
            return FeedTooLarge(
                f"The feed is larger than the limit of {self._bounds.feed_max_bytes} bytes.",
                "Pack it with gzip, or raise feed_max_bytes.",
            )
        if self._shape is not None and self._limit_bytes == MAX_JSON_BYTES:
            return JsonTooLarge(
                f"The JSON is larger than the limit of {MAX_JSON_BYTES} bytes.", "Ask for less at once."
            )
        return ImageTooLarge(
            f"The upload is larger than the limit of {self._bounds.image.max_megabytes}.", "Send a smaller picture."
        )

    def _check(self, message: Message) -> None:
        piece = message.get("body", b"")
        self._complete = not message.get("more_body", False)
        self._received += len(piece)
        self.refusal = self.too_large(self._received)
        if self.refusal is None and self._shape is not None:
            try:
                self._shape.feed(piece)
            except VitrineError as error:
                self.refusal = error
        if self.refusal is not None:
            raise self.refusal

    def _limit(self, path: str, *, is_json: bool) -> int:
        if self._is_feed:
            return self._bounds.feed_max_bytes + _MULTIPART_OVERHEAD_BYTES
        picture_bytes = self._bounds.image.max_bytes + _MULTIPART_OVERHEAD_BYTES
        if not is_json:
            return picture_bytes
        return int(picture_bytes * _BASE64_SHARE) if path in _PHOTO_PATHS else MAX_JSON_BYTES

    def _allowed_s(self) -> float:
        more = self._received // _FEED_BYTES_PER_TIMEOUT if self._is_feed else 0
        return self._bounds.timeout_s * (1 + more)
