"""Asking whether a picture changed, of a real HTTP server that answers by the rules, and of some that do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from indexer.errors import ImageNotFound
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.validators import condition_of, validator_of

OLD = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://cdn.shop.example/a.jpg"


@dataclass
class Host:
    """What the server has, and what was asked of it."""

    url: str = ""
    body: bytes = b"first"
    headers: dict[str, str] = field(default_factory=dict)
    redirect_to: str = "/a.jpg"
    always_304: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


def handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.asked.append({name.lower(): value for name, value in self.headers.items()})
            if self.path == "/moved":
                self._answer(302, {"Location": host.redirect_to}, b"")
                return
            named = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
            known = named[0] == host.headers.get("ETag") if named[0] else named[1] == host.headers.get("Last-Modified")
            if host.always_304 or (any(named) and known):
                self._answer(304, host.headers, None)
            else:
                self._answer(200, host.headers, host.body)

        def _answer(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
            host.statuses.append(status)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


def images(*, conditional: bool = True) -> RemoteImages:
    return RemoteImages(
        ImageLimits(), DownloadLimits(timeout_s=5.0, allowed_hosts=("127.0.0.1",), conditional=conditional)
    )


@pytest.fixture
def remote() -> Iterator[RemoteImages]:
    opened = images()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "headers", [{"ETag": '"v1"'}, {"ETag": 'W/"v1"'}, {"Last-Modified": format_datetime(OLD, usegmt=True)}]
)
def test_a_picture_that_did_not_change_is_not_sent_again(
    host: Host, remote: RemoteImages, headers: dict[str, str]
) -> None:
    host.headers = headers
    first = remote.fetch(f"{host.url}/a.jpg", "")
    assert first.validator
    assert remote.fetch_changed(f"{host.url}/a.jpg", "", first.validator) is None
    assert host.statuses == [200, 304]
    # and the connection is fit for the next one
    assert remote.fetch(f"{host.url}/a.jpg", "").data == b"first"


def test_a_picture_that_changed_is_sent_with_its_new_validator(host: Host, remote: RemoteImages) -> None:
    host.headers = {"ETag": '"v1"'}
    first = remote.fetch(f"{host.url}/a.jpg", "")
    host.headers, host.body = {"ETag": '"v2"'}, b"second"
    second = remote.fetch_changed(f"{host.url}/a.jpg", "", first.validator)
    assert second is not None
    assert (second.data, second.validator != first.validator) == (b"second", True)
    assert remote.fetch_changed(f"{host.url}/a.jpg", "", second.validator) is None


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": "unquoted"}, {"ETag": '"' + "x" * 300 + '"'}, {"Last-Modified": "soon"}]
)
def test_what_cannot_be_relied_on_is_not_asked_with(host: Host, remote: RemoteImages, headers: dict[str, str]) -> None:
    host.headers = headers
    assert remote.fetch(f"{host.url}/a.jpg", "").validator == ""
    again = remote.fetch_changed(f"{host.url}/a.jpg", "", "")
    assert again is not None
    assert again.data == b"first"
    assert not {"if-none-match", "if-modified-since"} & host.asked[-1].keys()


def test_a_validator_belongs_to_the_url_behind_the_redirect(host: Host, remote: RemoteImages) -> None:
    """The same tag of another picture, to which the address leads now, says nothing."""
    host.headers = {"ETag": '"1"'}
    first = remote.fetch(f"{host.url}/moved", "")
    assert remote.fetch_changed(f"{host.url}/moved", "", first.validator) is None
    assert host.statuses == [302, 200, 302, 304]
    assert ["if-none-match" in asked for asked in host.asked] == [False, False, False, True]
    host.redirect_to, host.body = "/b.jpg", b"other"
    other = remote.fetch_changed(f"{host.url}/moved", "", first.validator)
    assert other is not None
    assert other.data == b"other"


def test_304_without_a_condition_is_a_failure(host: Host, remote: RemoteImages) -> None:
    host.always_304 = True
    with pytest.raises(ImageNotFound, match="304"):
        remote.fetch(f"{host.url}/a.jpg", "")
    with pytest.raises(ImageNotFound, match="304"):
        remote.fetch_changed(f"{host.url}/a.jpg", "", validator_of(f"{host.url}/other.jpg", {"etag": '"1"'}))


def test_conditions_can_be_switched_off(host: Host) -> None:
    host.headers = {"ETag": '"v1"'}
    remote = images(conditional=False)
    first = remote.fetch(f"{host.url}/a.jpg", "")
    again = remote.fetch_changed(f"{host.url}/a.jpg", "", first.validator)
    assert again == first
    assert host.statuses == [200, 200]
    remote.close()


@pytest.mark.parametrize(
    ("age", "is_used"), [(timedelta(0), False), (timedelta(seconds=59), False), (timedelta(seconds=60), True)]
)
def test_a_time_of_change_counts_once_it_is_settled(age: timedelta, is_used: bool) -> None:
    headers = {"last-modified": format_datetime(OLD, usegmt=True), "date": format_datetime(OLD + age, usegmt=True)}
    assert bool(validator_of(URL, headers)) == is_used


@pytest.mark.parametrize(
    "validator",
    [
        "",
        "x",
        'mark etag "1"',
        f"{validator_of(URL, {'etag': chr(34) + '1' + chr(34)})}\r\nX-Evil: 1",
        validator_of(URL, {"etag": '"1"'}).replace("etag", "other"),
        validator_of(URL, {"etag": '"1"'}).replace('"1"', "1"),
    ],
)
def test_a_validator_that_is_none_asks_for_nothing(validator: str) -> None:
    assert condition_of(URL, validator) == []


def test_a_validator_becomes_the_header_that_it_came_from() -> None:
    assert condition_of(URL, validator_of(URL, {"etag": '"a b"'})) == []  # a space is none of a tag's characters
    assert condition_of(URL, validator_of(URL, {"etag": 'W/"a"'})) == [("If-None-Match", 'W/"a"')]
    dates = {
        "last-modified": format_datetime(OLD, usegmt=True),
        "date": format_datetime(datetime.now(UTC), usegmt=True),
    }
    assert condition_of(URL, validator_of(URL, dates)) == [("If-Modified-Since", dates["last-modified"])]
    assert condition_of(f"{URL}?other", validator_of(URL, dates)) == []
