"""The client for event loops of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from search_api.client import administration, searches, sessions
from search_api.client.blocking import with_self
from search_api.client.call import Answer, Call, Picture, answered
from search_api.client.errors import ApiError
from search_api.client.exchange import Address, own_errors
from search_api.client.retries import Attempts, RetryPolicy
from search_api.client.searches import Photo, next_page
from search_api.find_schemas import FindQuery, FindResponse, FoundProduct

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """A method that carries out what a function of calls describes, with its arguments and its documentation."""

    @wraps(build)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # in a thread, as it may read a picture file
        return await self.carry_out(await asyncio.to_thread(build, *args, **kwargs))

    method.__signature__ = with_self(build)  # type: ignore[attr-defined]
    return method


class AsyncClient:
    """As :class:`Client`, with methods to be awaited; for one event loop.

    Args:
        url: of the API, such as ``http://127.0.0.1:8000``.
        key: sent with every call, where the API asks for one.
        admin_key: instead of it, for the methods that change the catalog or tell of index runs.
        policy: of deadlines and repeated attempts.
        http: one of your own, with proxies or certificates of your own; it is not closed here.

    Raises:
        ValueError: the address is none.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        admin_key: str = "",
        policy: RetryPolicy | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._address = Address(url, key, admin_key, policy or RetryPolicy())
        self._owns_http = http is None
        self._http = httpx.AsyncClient() if http is None else http

    search = _method(searches.search)
    search_text = _method(searches.search_text)
    search_image = _method(searches.search_image)
    duplicates = _method(searches.duplicates)
    regions = _method(searches.regions)
    product = _method(searches.product)
    similar = _method(searches.similar)
    product_image = _method(searches.product_image)
    heat_map = _method(searches.heat_map)
    photo_heat_map = _method(searches.photo_heat_map)
    classify = _method(searches.classify)
    embed_photos = _method(searches.embed_photos)
    embed_texts = _method(searches.embed_texts)
    health = _method(searches.health)
    ready = _method(searches.ready)
    sign_in = _method(sessions.sign_in)
    sign_out = _method(sessions.sign_out)

    put_product = _method(administration.put_product)
    patch_product = _method(administration.patch_product)
    delete_product = _method(administration.delete_product)
    request_run = _method(administration.request_run)
    upload_feed = _method(administration.upload_feed)
    retry_run = _method(administration.retry_run)
    runs = _method(administration.runs)
    run = _method(administration.run)
    failures = _method(administration.failures)
    index_status = _method(administration.index_status)
    serving_status = _method(administration.serving_status)

    async def search_pages(
        self, query: FindQuery | None = None, *, photos: Sequence[Picture | Photo] = ()
    ) -> AsyncIterator[FindResponse]:
        """As ``search``, page after page; asks for one when it is wanted."""
        wanted: FindQuery | None = query or FindQuery()
        while wanted is not None:
            answer = await self.search(wanted, photos=photos)
            yield answer
            wanted = next_page(wanted, answer)

    async def search_all(
        self, query: FindQuery | None = None, *, photos: Sequence[Picture | Photo] = ()
    ) -> AsyncIterator[FoundProduct]:
        """All products that ``search`` finds, each once, through all its pages."""
        async for page in self.search_pages(query, photos=photos):
            for hit in page.hits:
                yield hit

    async def carry_out(self, call: Call[T]) -> T:
        """Makes a call, again and again where that helps.

        Raises:
            ApiError
        """
        attempts = Attempts(self._address.policy, repeatable=call.repeatable)
        while True:
            try:
                return answered(call, await self._answer(call, attempts))
            except ApiError as error:
                await asyncio.sleep(attempts.pause_s(error))

    async def _answer(self, call: Call[T], attempts: Attempts) -> Answer:
        with own_errors(self._address.url), self._address.request(self._http, call, attempts.timeout_s) as request:
            async with asyncio.timeout(attempts.left_s):
                response = await self._http.send(request)
            return Answer(response.status_code, dict(response.headers), response.content)

    async def aclose(self) -> None:
        """Closes its connections."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
