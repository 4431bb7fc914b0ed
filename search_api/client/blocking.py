"""The client that blocks."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, get_args, get_type_hints

import httpx

from search_api.client import administration, searches, sessions
from search_api.client.call import Answer, Call, Picture, answered
from search_api.client.errors import ApiError
from search_api.client.exchange import Address, own_errors
from search_api.client.retries import Attempts, RetryPolicy
from search_api.client.searches import Photo, next_page
from search_api.find_schemas import FindQuery, FindResponse, FoundProduct

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """A method that carries out what a function of calls describes, with its arguments and its documentation."""

    @wraps(build)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.carry_out(build(*args, **kwargs))

    method.__signature__ = with_self(build)  # type: ignore[attr-defined]
    return method


def with_self(build: Callable[..., object]) -> inspect.Signature:
    """The signature of a method made of a function of calls, for ``help``."""
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    (given,) = get_args(get_type_hints(build)["return"])
    return signature.replace(parameters=[itself, *signature.parameters.values()], return_annotation=given)


class Client:
    """Asks a search API. One may be used by several threads; close it at the end, or use it in a ``with`` block.

    Every method raises an :class:`ApiError`, or ``OSError`` for a file that cannot be read, or
    ``pydantic.ValidationError`` for arguments that cannot be.

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
        http: httpx.Client | None = None,
    ) -> None:
        self._address = Address(url, key, admin_key, policy or RetryPolicy())
        self._owns_http = http is None
        self._http = httpx.Client() if http is None else http

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

    def search_pages(
        self, query: FindQuery | None = None, *, photos: Sequence[Picture | Photo] = ()
    ) -> Iterator[FindResponse]:
        """As ``search``, page after page; asks for one when it is wanted."""
        wanted: FindQuery | None = query or FindQuery()
        while wanted is not None:
            answer = self.search(wanted, photos=photos)
            yield answer
            wanted = next_page(wanted, answer)

    def search_all(
        self, query: FindQuery | None = None, *, photos: Sequence[Picture | Photo] = ()
    ) -> Iterator[FoundProduct]:
        """All products that ``search`` finds, each once, through all its pages."""
        for page in self.search_pages(query, photos=photos):
            yield from page.hits

    def carry_out(self, call: Call[T]) -> T:
        """Makes a call, again and again where that helps.

        Raises:
            ApiError
        """
        attempts = Attempts(self._address.policy, repeatable=call.repeatable)
        while True:
            try:
                return answered(call, self._answer(call, attempts))
            except ApiError as error:
                time.sleep(attempts.pause_s(error))

    def _answer(self, call: Call[T], attempts: Attempts) -> Answer:
        with own_errors(self._address.url), self._address.request(self._http, call, attempts.timeout_s) as request:
            response = self._http.send(request, stream=True)
            try:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    _ = attempts.left_s  # an answer that drips in would never be too late for httpx
            finally:
                response.close()
            return Answer(response.status_code, dict(response.headers), bytes(content))

    def close(self) -> None:
        """Closes its connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
