"""How often one address and one key may ask: token buckets, 429, and headers that tell how much is left."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.errors import RateLimited
from indexer.rate_limits.addresses import client_of
from indexer.rate_limits.port import Rate, Taken, TokenBuckets
from indexer.telemetry import metrics
from search_api import access
from search_api.answer_headers import with_headers
from search_api.authentication import key_in
from search_api.limits.refusals import Refusals
from search_api.limits.weights import FREE, weight_of
from search_api.problems import problem_of

_log = logging.getLogger(__name__)
_STANDING = "rates"
_WRONG_KEY_TOKENS = 9.0
"""Taken from an address beside that of the request itself, so that keys are not guessed at the pace of searches."""


class Standing:
    """What is left for the sender of a request, in the bucket that has the least."""

    def __init__(self) -> None:
        self._rate: Rate | None = None
        self._taken: Taken | None = None

    def note(self, rate: Rate, taken: Taken) -> None:
        """Adds a bucket."""
        if self._taken is None or taken.remaining < self._taken.remaining:
            self._rate, self._taken = rate, taken

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """``RateLimit-*`` as in draft-ietf-httpapi-ratelimit-headers-06, the last draft that has these three."""
        if self._rate is None or self._taken is None:
            return ()
        values = (self._rate.burst, self._taken.remaining, math.ceil(self._taken.full_after_s))
        names = (b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset")
        return [(name, str(int(value)).encode("ascii")) for name, value in zip(names, values, strict=True)]


class AddressLimits:
    """Takes each request from the bucket of the address that sends it, before anything else is looked at.

    Args:
        app: what is protected.
        buckets: where they are counted.
        rate: of an address; None: there is no limit.
        refusals: their pace.
        proxies: whether any are trusted to say whose address it is.
    """

    def __init__(
        self, app: ASGIApp, buckets: TokenBuckets, rate: Rate | None, refusals: Refusals, *, proxies: bool
    ) -> None:
        self._app = app
        self._buckets = buckets
        self._rate = rate
        self._refusals = refusals
        self._proxies = proxies
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        standing = scope.setdefault("state", {})[_STANDING] = Standing()
        status = 0

        async def telling_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = with_headers(message, standing.headers())
            await send(message)

        weight = weight_of(scope)
        if self._rate is None or weight == FREE:
            await self._app(scope, receive, telling_send)
            return
        name = f"address:{address_of(scope)}"
        taken = await self._buckets.take(name, self._rate, weight)
        standing.note(self._rate, taken)
        if not taken.allowed:
            self._tell_of_proxy(scope)
            await self._refusals.pace(name)
            await _refuse("address_rate", "This address", taken)(scope, receive, telling_send)
            return
        await self._app(scope, receive, telling_send)
        if status == 401 and key_in(Headers(scope=scope)):
            await self._buckets.take(name, self._rate, min(_WRONG_KEY_TOKENS, self._rate.burst), force=True)

    def _tell_of_proxy(self, scope: Scope) -> None:
        """Behind a proxy that nobody named, all the world is one address."""
        if self._told or self._proxies or "x-forwarded-for" not in Headers(scope=scope):
            return
        self._told = True
        _log.warning(
            "%s is limited as one client, but passes on requests of others (X-Forwarded-For). If it is your proxy, "
            "name it in trusted_proxies.",
            address_of(scope),
        )


class KeyLimits:
    """Takes each request with a key from the key's bucket.

    Args:
        app: what is protected; this has to be inside of the authentication and of ``AddressLimits``.
        buckets: where they are counted.
        rate: of a key; None: there is no limit.
        refusals: their pace.
    """

    def __init__(self, app: ASGIApp, buckets: TokenBuckets, rate: Rate | None, refusals: Refusals) -> None:
        self._app = app
        self._buckets = buckets
        self._rate = rate
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        weight = FREE if scope["type"] != "http" else weight_of(scope)
        key_id = access.current.get().key_id if weight != FREE else ""
        if self._rate is None or not key_id:
            await self._app(scope, receive, send)
            return
        name = f"key:{key_id}"
        taken = await self._buckets.take(name, self._rate, weight)
        scope["state"][_STANDING].note(self._rate, taken)
        if not taken.allowed:
            await self._refusals.pace(name)
            await _refuse("key_rate", "This key", taken)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def address_of(scope: Scope) -> str:
    """The name under which the sender's address is counted."""
    client = scope.get("client")
    return client_of(client[0] if client else "")


def _refuse(limit: str, who: str, taken: Taken) -> ASGIApp:
    metrics.limited(limit)
    wait_s = max(1, math.ceil(taken.retry_after_s))
    return problem_of(RateLimited(f"{who} asks too often.", f"Try again in {wait_s} s.", taken.retry_after_s))
