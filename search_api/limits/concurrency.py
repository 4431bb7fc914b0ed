"""How many requests may be under way at once, of one client and of all."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from indexer.errors import Overloaded, TooManyAtOnce, VitrineError
from indexer.telemetry import metrics
from search_api import access
from search_api.limits.rates import address_of
from search_api.limits.refusals import Refusals
from search_api.limits.weights import FREE, REQUEST, weight_of
from search_api.problems import problem_of


class Concurrency:
    """Lets so many in; who finds no place is told so, rather than made to wait for one.

    One client has at most some of the places, so that others find one, too. Pictures and the page's files take one of
    all places, and none of the client's: a browser asks for two dozen at once.

    Args:
        app: what is protected; this has to be inside of the authentication.
        of_all: places there are.
        of_key: places that one key may have; 0: all.
        of_address: places that one address may have, for requests without a key; 0: all.
        refusals: their pace.
    """

    def __init__(self, app: ASGIApp, *, of_all: int, of_key: int, of_address: int, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals
        self._of_all = of_all
        self._of_key = of_key
        self._of_address = of_address
        self._taken = 0
        self._by_client: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        weight = FREE if scope["type"] != "http" else weight_of(scope)
        if weight == FREE:
            await self._app(scope, receive, send)
            return
        client = self._client(scope) if weight == REQUEST else ""
        if refusal := self._refusal(client):
            if isinstance(refusal, TooManyAtOnce):
                await self._refusals.pace(client)
            await problem_of(refusal)(scope, receive, send)
            return
        self._taken += 1
        if client:
            self._by_client[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._taken -= 1
            if client:
                self._leave(client)

    def _client(self, scope: Scope) -> str:
        """Whose places a request counts among; empty if nobody's are bounded."""
        key_id = access.current.get().key_id
        if key_id:
            return f"key:{key_id}" if self._of_key else ""
        return f"address:{address_of(scope)}" if self._of_address else ""

    def _refusal(self, client: str) -> VitrineError | None:
        who = client.partition(":")[0]
        most = self._of_key if who == "key" else self._of_address
        if client and self._by_client[client] >= most:
            metrics.limited(f"{who}_concurrency")
            return TooManyAtOnce(
                f"This {who} has {most} requests under way, the most that it may have.", "Wait for one."
            )
        if self._taken >= self._of_all:
            metrics.limited("concurrency")
            return Overloaded("As many requests as this server takes are under way.")
        return None

    def _leave(self, client: str) -> None:
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]
