"""Pictures behind http(s) URLs."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import httpcore

from indexer.errors import ImageFetchFailed, ImageNotFound, ImageRefForbidden, ImageTooLarge
from indexer.images.address_guard import GuardedBackend
from indexer.images.background_loop import BackgroundLoop
from indexer.images.limits import ImageLimits
from indexer.images.silent_hosts import SilentHosts
from indexer.images.source import FetchedImage
from indexer.images.validators import condition_of, validator_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_URL_SAFE = "/:?#[]@!$&'()*+,;=-._~%"


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How hosts are treated.

    Attributes:
        timeout_s: for one picture, redirects included.
        connections_per_host: at the same time.
        connections: at the same time to all hosts together.
        allowed_hosts: names or addresses that need not be public.
        conditional: whether a picture that is known is asked for only if it changed.
    """

    timeout_s: float = 20.0
    connections_per_host: int = 8
    connections: int = 64
    allowed_hosts: tuple[str, ...] = ()
    conditional: bool = True


class RemoteImages:
    """Downloads pictures over pooled connections, only from addresses that the guard lets through.

    All downloads wait in one thread, on its event loop, so that their number is that of connections and not of threads.
    """

    def __init__(self, images: ImageLimits, downloads: DownloadLimits) -> None:
        self._images = images
        self._downloads = downloads
        self._loop = BackgroundLoop("downloads")
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=downloads.connections,
            max_keepalive_connections=downloads.connections,
            keepalive_expiry=30.0,
            network_backend=GuardedBackend(downloads.allowed_hosts),
        )
        self._all = asyncio.Semaphore(downloads.connections)
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(downloads.connections_per_host)
        )
        self._silent = SilentHosts()

    def fetch(self, image_ref: str, image_root: str) -> FetchedImage:
        """See ``ImageSource``; follows up to 5 redirects, each checked like the first address."""
        fetched = self.begin(image_ref, image_root, "").result()
        if fetched is None:
            raise ImageNotFound(f"{image_ref} answered with HTTP status 304 to a request without a condition.")
        return fetched

    def fetch_changed(self, image_ref: str, image_root: str, validator: str) -> FetchedImage | None:
        """See ``ImageSource``."""
        return self.begin(image_ref, image_root, validator).result()

    def begin(self, image_ref: str, image_root: str, validator: str) -> Future[FetchedImage | None]:  # noqa: ARG002
        """See ``ImageSource``; a URL needs no folder."""
        return self._loop.submit(self._fetch(image_ref, validator if self._downloads.conditional else ""))

    def close(self) -> None:
        """Ends downloads that are under way, and closes the pooled connections."""
        self._loop.close(self._pool.aclose)

    async def _fetch(self, image_ref: str, validator: str) -> FetchedImage | None:
        """The picture; None if it is still the one of the validator."""
        spent_s = 0.0
        url = image_ref
        for _ in range(_MAX_REDIRECTS + 1):
            target = _checked_url(url)
            # the time counts from when its turn came: thousands may wait for one slow host
            async with self._hosts[urlsplit(target).hostname or ""], self._all:
                start_s = time.monotonic()
                answer = await self._get(target, validator, self._downloads.timeout_s - spent_s)
                spent_s += time.monotonic() - start_s
            if not isinstance(answer, str):
                return answer
            url = urljoin(target, answer)
        raise ImageNotFound(
            f"{image_ref} redirects more than {_MAX_REDIRECTS} times.", "Put the final URL in the feed."
        )

    async def _get(self, url: str, validator: str, left_s: float) -> FetchedImage | str | None:
        """The picture, where the host redirects to, or None if nothing changed."""
        server = urlsplit(url).netloc
        headers = [("User-Agent", "Vitrine image indexer"), ("Accept", "image/*"), ("Accept-Encoding", "identity")]
        condition = condition_of(url, validator)
        self._silent.check(server)  # only now: it may have fallen silent while this picture waited its turn
        answered = False
        try:
            async with asyncio.timeout(left_s), self._pool.stream("GET", url, headers=headers + condition) as response:
                answered = True
                self._silent.answered(server)
                location = _header(response.headers, b"location")
                if response.status in _REDIRECTS and location:
                    return location
                if response.status == 304 and condition:
                    return None
                _check_status(response.status, url)
                return await self._read(response, url)
        except (TimeoutError, httpcore.ConnectTimeout) as error:
            if not answered:
                self._silent.timed_out(server)
            raise ImageFetchFailed(f"{url} took longer than {self._downloads.timeout_s:g} s.") from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise ImageFetchFailed(f"{url} could not be fetched: {type(error).__name__} {error}.") from error
        except httpcore.UnsupportedProtocol as error:
            raise ImageRefForbidden(f"{url} is no http(s) address.", "Correct it in the feed.") from error

    async def _read(self, response: httpcore.Response, url: str) -> FetchedImage:
        limit = self._images.max_bytes
        declared = _header(response.headers, b"content-length") or "0"
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(url, self._images)
        data = bytearray()
        async for chunk in response.aiter_stream():
            data += chunk
            if len(data) > limit:
                raise _too_large(url, self._images)
        named = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in response.headers}
        return FetchedImage(bytes(data), hashlib.sha256(data).hexdigest(), validator_of(url, named))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_valid = urlsplit(""), False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_valid:
        raise ImageRefForbidden(f"{url} is no http(s) address.", "Correct it in the feed.")
    # names outside ASCII (IRIs, RFC 3987) travel as percent escapes and punycode
    try:
        host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    except UnicodeError as error:
        raise ImageRefForbidden(f"{url} has an impossible host name.", "Correct it in the feed.") from error
    location = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        location = f"{location}:{parts.port}"
    return urlunsplit((parts.scheme, location, quote(parts.path, _URL_SAFE), quote(parts.query, _URL_SAFE), ""))


def _check_status(status: int, url: str) -> None:
    if status == 200:
        return
    if status in _RETRYABLE_STATUSES or status >= 500:
        raise ImageFetchFailed(f"{url} answered with HTTP status {status}.")
    raise ImageNotFound(f"{url} answered with HTTP status {status}.", "Correct the address in the feed.")


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), None)


def _too_large(url: str, limits: ImageLimits) -> ImageTooLarge:
    return ImageTooLarge(
        f"{url} is larger than the limit of {limits.max_megabytes}.", "Save it smaller, or raise image_max_bytes."
    )
