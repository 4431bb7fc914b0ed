"""What browsers are told to refuse, in every answer."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_api.answer_headers import with_headers

_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data: https: http:",  # pictures of a feed may lie on any host of the shop
        "form-action 'none'",  # scripts read the forms; without them a key must not end up in an address
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_PERMISSIONS_POLICY = ", ".join(
    # photos are taken through a file input, which needs no right to the camera
    f"{feature}=()"
    for feature in ("camera", "microphone", "geolocation", "display-capture", "payment", "usb", "serial", "midi")
)
HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the page's address holds what somebody searched for
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": _PERMISSIONS_POLICY,
}
"""One policy for all, so that no route can forget it; answers that are not the page load nothing anyway."""

_ENCODED = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in HEADERS.items()]


class SecurityHeaders:
    """Puts the headers into every answer, those of errors and of other middlewares too.

    Args:
        app: the whole rest; this has to be outside everything that answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            await send(with_headers(message, _ENCODED))

        await self._app(scope, receive, send_with_headers)
