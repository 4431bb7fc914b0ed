"""What is refused before it is a request: too long, too many, too slow, or to be read in two ways."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from indexer.embedding.port import Embedder
from indexer.settings import load_settings
from search_api.limits import http_protocol
from search_api.limits.http_protocol import MAX_HEADERS
from search_api.security_headers import HEADERS as SECURITY_HEADERS
from tests.raw_http import RawAnswer, RawConnection, head
from tests.served import listening, served_as_configured

GET = head("GET", "/healthz")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[httpx.Client]:
    """A server that is short of time and places."""
    flags: dict[str, Any] = {
        "data_dir": tmp_path_factory.mktemp("data"),
        "head_timeout_s": 1.0,
        "body_timeout_s": 1.0,
        "connections": 12,
        "address_connections": 8,
        "admin_key": "secret",
    }
    with served_as_configured(load_settings(flags, environment={}).settings, tiny_embedder) as opened:
        yield opened


@pytest.fixture
def raw(client: httpx.Client) -> Iterator[RawConnection]:
    with RawConnection(client) as connection:
        yield connection


def refused(connection: RawConnection, status: int, code: str) -> RawAnswer:
    """The answer, which is the last of its connection."""
    answer = connection.answer()
    assert (answer.status, answer.problem["code"]) == (status, code)
    assert answer.problem["detail"]
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert answer.headers["connection"] == "close"
    assert "server" not in answer.headers
    assert connection.is_closed()
    return answer


@pytest.mark.parametrize(
    "request_head",
    [
        head("GET", "/healthz", "A: " + "x" * 40_000),
        head("GET", "/healthz", *(f"A{number}: {'x' * 1_000}" for number in range(40))),
        head("GET", "/healthz", *(f"A{number}: x" for number in range(MAX_HEADERS))),
        head("GET", "/healthz", *(f"A{number}: x" for number in range(50_000))),
        head("GET", "/healthz", "A: " + "x" * 40_000)[:-4],
        head("GET", "/healthz", "x" * 600_000 + ": x"),
    ],
    ids=["one long", "many long", "one too many", "very many", "one without an end", "a long name"],
)
def test_headers_are_bounded_in_bytes_and_number(raw: RawConnection, request_head: bytes) -> None:
    raw.send(request_head)
    refused(raw, 431, "request_head_too_large")


def test_as_many_headers_as_may_be(raw: RawConnection) -> None:
    raw.send(head("GET", "/healthz", *(f"A{number}: {'x' * 300}" for number in range(MAX_HEADERS - 1))))
    assert raw.answer().status == 200


@pytest.mark.parametrize("length", [17_000, 60_000, 2_000_000])
def test_the_address_is_bounded(raw: RawConnection, length: int) -> None:
    raw.send(head("GET", "/?q=" + "a" * length))
    refused(raw, 414, "request_line_too_long")


def test_a_long_address_that_may_be(raw: RawConnection) -> None:
    raw.send(head("GET", "/healthz?q=" + "a" * 16_000))
    assert raw.answer().status == 200


CHUNKED = ("Transfer-Encoding: chunked", "Content-Type: application/json")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        "GET /ü HTTP/1.1\r\n\r\n".encode(),
        head("POST", "/v1/search/text", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("POST", "/v1/search/text", "Content-Length: 5", "Content-Length: 6") + b"hello",
        head("POST", "/v1/search/text", "Content-Length: +5") + b"hello",
        head("POST", "/v1/search/text", "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
        head("GET", "/", "A: b\r\n c"),
        head("GET", "/", "A : b"),
        head("CONNECT", "shop:443"),
        head("POST", "/v1/search/text", *CHUNKED) + b"1;" + b"e" * 200_000,
        head("POST", "/v1/search/text", *CHUNKED) + b"1\r\n \r\n" * 30_000,
        head("POST", "/v1/search/text", *CHUNKED)
        + b"1\r\n \r\n0\r\n"
        + b"".join(b"t%d: x\r\n" % number for number in range(10_000)),
        head("POST", "/v1/search/text", *CHUNKED) + b"fffffffffffffffffffff\r\n",
    ],
    ids=[
        "TLS",
        "HTTP/2",
        "bare line feeds",
        "a null in the address",
        "letters beyond ASCII in the address",
        "two kinds of length",
        "two lengths",
        "a length with a sign",
        "an unknown coding",
        "a folded header",
        "a space before the colon",
        "CONNECT",
        "a chunk's extension without end",
        "chunks of one byte",
        "trailers without end",
        "a chunk larger than numbers go",
    ],
)
def test_what_is_no_http_or_can_be_read_in_two_ways(raw: RawConnection, data: bytes) -> None:
    raw.send(data)
    refused(raw, 400, "request_malformed")


def test_a_trailer_is_no_header_of_the_request(client: httpx.Client, raw: RawConnection) -> None:
    raw.send(
        head("PUT", "/v1/products/a", *CHUNKED, "X-Request-ID: first")
        + b"2\r\n{}\r\n0\r\nX-API-Key: secret\r\nX-Request-ID: last\r\n\r\n"
    )
    answer = raw.answer()
    assert answer.status == 401
    assert answer.headers["x-request-id"] == "first"
    assert answer.problem["code"] == "admin_key_required"
    raw.send(GET)
    assert raw.answer().status == 200, "the connection goes on"


def test_an_upgrade_to_another_protocol_is_answered_in_this_one(raw: RawConnection) -> None:
    raw.send(head("GET", "/healthz", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"))
    answer = raw.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert raw.is_closed()


def test_what_does_not_come_is_not_waited_for(client: httpx.Client) -> None:
    """Silent connections, heads, bodies and forms without an end; all at once, so that their times run together."""
    json_head = head("POST", "/v1/search/text", "Content-Type: application/json", "Content-Length: 100")
    form_head = head("POST", "/v1/search/image", "Content-Type: multipart/form-data; boundary=b", "Content-Length: 999")
    form = form_head + b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nabc'
    starts = [b"", b"G", b"GET / HTTP/1.1\r\nA: b\r\n", json_head + b'{"text":', form, GET + b"GET / HT", GET + b"\r\n"]
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(client)) for _ in starts]
        for connection, start in zip(connections, starts, strict=True):
            connection.send(start)
        for connection in connections[-2:]:
            assert connection.answer().status == 200
        assert connections[0].is_closed()
        for connection in connections[1:-1]:
            refused(connection, 408, "request_slow")
        assert connections[-1].is_closed(), "line breaks are no request"


def test_a_body_that_nobody_waits_for_ends_the_connection(raw: RawConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_UNREAD_BODY_S", 0.2)
    raw.send(head("POST", "/nowhere", "Content-Length: 1000000") + b"x" * 10_000)
    answer = raw.answer()
    assert answer.status == 404
    assert raw.is_closed()


def test_an_answer_before_the_end_of_a_body_can_be_read_all_the_same(raw: RawConnection) -> None:
    """A socket closed with something unread in it would be reset, and the answer lost."""
    raw.send(head("POST", "/v1/search/image", "Content-Type: image/jpeg", "Content-Length: 30000000"))
    for _ in range(30):
        raw.send(b"x" * 1_000_000)
    answer = raw.answer()
    assert (answer.status, answer.problem["code"]) == (413, "image_too_large")


def test_a_request_may_follow_the_rest_of_a_body_that_was_answered_early(raw: RawConnection) -> None:
    """Clients send whole bodies, and ask anew once they are answered: the server may read both in one piece."""
    deep = b"[" * 100_000
    asked = head("POST", "/v1/search", "Content-Type: application/json", f"Content-Length: {len(deep)}")
    raw.send(asked + deep[:1_000])
    assert raw.answer().problem["code"] == "json_too_deep"
    raw.send(deep[1_000:50_000])
    time.sleep(0.2)
    raw.send(deep[50_000:] + asked + deep)
    assert raw.answer().problem["code"] == "json_too_deep"


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_UNTAKEN_ANSWER_S", 0.2)
    app = FastAPI()

    @app.get("/healthz")
    def large() -> Response:
        return Response(bytes(60_000_000))  # what kernels buffer for a connection is a few MB

    with listening(app, load_settings(environment={}).settings) as client, RawConnection(client) as silent:
        client.close()
        silent.send(GET)
        assert silent.is_cut()
        assert len(silent.rest()) < 60_000_000


def test_an_answer_that_is_taken_slowly_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_UNTAKEN_ANSWER_S", 0.1)
    app = FastAPI()

    @app.get("/healthz")
    def large() -> Response:
        return Response(bytes(30_000_000))

    with listening(app, load_settings(environment={}).settings) as client, RawConnection(client) as slow:
        client.close()
        slow.send(head("GET", "/healthz", "Connection: close"))
        received = 0
        while piece := slow.some(1_000_000):
            received += len(piece)
            time.sleep(0.02)
        assert received > 30_000_000


def test_requests_sent_without_waiting_are_answered_in_order(raw: RawConnection) -> None:
    raw.send(GET + head("GET", "/nowhere") + GET)
    assert [raw.answer().status for _ in range(3)] == [200, 404, 200]


def test_too_many_requests_without_waiting_end_the_connection(raw: RawConnection) -> None:
    raw.send(GET * 5_000)
    assert raw.rest().count(b"HTTP/1.1 200") < 5_000


def test_one_address_has_some_of_the_connections(client: httpx.Client) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(RawConnection(client)) for _ in range(8)]
        with RawConnection(client) as one_more:
            answer = one_more.answer()
            assert (answer.status, answer.problem["code"]) == (429, "too_many_at_once")
            assert answer.headers["retry-after"] == "1"
        kept[0].send(GET)
        assert kept[0].answer().status == 200
        for _ in range(20):  # those that are turned away take no place of anybody
            one_more = stack.enter_context(RawConnection(client))
            assert one_more.answer().problem["code"] == "too_many_at_once"


def test_there_is_a_last_connection(tmp_path: Path, tiny_embedder: Embedder) -> None:
    flags = {"data_dir": tmp_path, "connections": 3, "trusted_proxies": "127.0.0.1"}
    with (
        served_as_configured(load_settings(flags, environment={}).settings, tiny_embedder) as client,
        ExitStack() as stack,
    ):
        client.close()
        answers = []
        for _ in range(6):
            connection = stack.enter_context(RawConnection(client))
            connection.send(GET)
            answers.append(connection.answer())
        assert {answer.status for answer in answers[:2]} == {200}
        assert (answers[-1].status, answers[-1].problem["code"]) == (503, "overloaded")
        assert answers[-1].headers["retry-after"] == "1"


def test_head_is_answered_as_get_without_a_body(client: httpx.Client, raw: RawConnection) -> None:
    page = client.get("/")
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(page.content)
    assert answer.headers["etag"] == page.headers["etag"]
    assert client.head("/nowhere").status_code == 404
    assert client.head("/v1/search/text").status_code == 405
    assert client.head("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    raw.send(head("HEAD", "/") + GET)
    first = raw._reader.readline()
    assert first.startswith(b"HTTP/1.1 200")
    while raw._reader.readline().strip():
        pass
    assert raw.answer().body == b'{"status":"ok"}', "nothing of the page stands between the two"
