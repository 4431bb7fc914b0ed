"""From a call to what httpx sends, and from what httpx raises to the client's own errors: the same for both clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from search_api.client.call import Call
from search_api.client.errors import ApiTimeout, ApiUnreachable
from search_api.client.retries import RetryPolicy

_BEFORE_ANYTHING_IS_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API is, and how it is asked.

    Attributes:
        url: such as ``http://127.0.0.1:8000``; a path is kept.
        key: sent with every call; empty: none.
        admin_key: sent instead of it with the calls that need it, and with no other.
        policy: of repeated attempts.
    """

    url: str
    key: str = field(default="", repr=False)
    admin_key: str = field(default="", repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        parts = httpx.URL(self.url)
        if parts.scheme not in {"http", "https"} or not parts.host:
            raise ValueError(f"{self.url!r} is no address of an API; one is http://127.0.0.1:8000")

    def headers(self, call: Call[Any]) -> list[tuple[bytes, bytes]]:
        """Of a request; a key may hold letters beyond ASCII."""
        found = [(b"accept", b"application/json, image/*")]
        if call.json:
            found.append((b"content-type", b"application/json"))
        if key := (call.admin and self.admin_key) or self.key:
            found.append((b"x-api-key", key.encode()))
        return found

    @contextmanager
    def request(
        self, http: httpx.Client | httpx.AsyncClient, call: Call[Any], timeout_s: float
    ) -> Iterator[httpx.Request]:
        """The request of one attempt, with what the client adds to each; files lie open until the end of the block.

        Raises:
            OSError: a file to be sent cannot be read.
        """
        with ExitStack() as stack:
            files: list[tuple[str, tuple[str, bytes | BinaryIO]]] = []
            for file in call.files:
                content = file.content
                opened = stack.enter_context(content.open("rb")) if isinstance(content, Path) else content
                files.append((file.field, (file.name, opened)))
            fields: dict[str, list[str]] = {}
            for name, value in call.form:
                fields.setdefault(name, []).append(value)
            yield http.build_request(
                call.method,
                self.url.rstrip("/") + call.path,
                params=list(call.parameters) or None,
                headers=self.headers(call),
                content=call.json or None,
                data=fields or None,
                files=files or None,
                timeout=timeout_s,
            )


@contextmanager
def own_errors(url: str) -> Iterator[None]:
    """Raises httpx's errors as the client's.

    Raises:
        ApiUnreachable, ApiTimeout
    """
    try:
        yield
    except httpx.RequestError as error:
        sent = not isinstance(error, _BEFORE_ANYTHING_IS_SENT)
        what = str(error) or type(error).__name__
        raise ApiUnreachable(f"{url} cannot be reached: {what}", sent=sent) from error
    except TimeoutError as error:
        raise ApiTimeout(f"{url} gave no answer within the deadline") from error
