"""Downloads from a real HTTP server on the loopback interface, and the guard that forbids just that by default."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from indexer.errors import ImageFetchFailed, ImageNotFound, ImageRefForbidden, ImageTooLarge
from indexer.images.address_guard import is_public
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits

LIMITS = ImageLimits(max_bytes=1000)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.startswith("/status/"):
            self.send_response(int(path.removeprefix("/status/")))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif path == "/endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b"x" * 100)
        elif path == "/broken":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"x")
            self.close_connection = True
        else:
            body = path.encode() if path != "/big" else b"x" * 1001
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture
def allowed() -> Iterator[RemoteImages]:
    images = RemoteImages(LIMITS, DownloadLimits(timeout_s=1.0, allowed_hosts=("127.0.0.1",)))
    yield images
    images.close()


@pytest.fixture
def guarded() -> Iterator[RemoteImages]:
    images = RemoteImages(LIMITS, DownloadLimits(timeout_s=1.0))
    yield images
    images.close()


def test_bytes_come_through(server: str, allowed: RemoteImages) -> None:
    assert allowed.fetch(f"{server}/a.jpg", "").data == b"/a.jpg"
    assert len(allowed.fetch(f"{server}/a.jpg", "").sha256) == 64


def test_spaces_and_other_scripts_are_escaped(server: str, allowed: RemoteImages) -> None:
    assert allowed.fetch(f"{server}/кружка 1.jpg", "").data == b"/%D0%BA%D1%80%D1%83%D0%B6%D0%BA%D0%B0%201.jpg"
    assert allowed.fetch(f"{server}/a%20b.jpg?x=1#f", "").data == b"/a%20b.jpg?x=1"


def test_redirects_are_followed(server: str, allowed: RemoteImages) -> None:
    assert allowed.fetch(f"{server}/to/{server}/to/{server}/end.jpg", "").data == b"/end.jpg"
    assert allowed.fetch(f"{server}/to//relative.jpg", "").data == b"/relative.jpg"


def test_endless_redirects_end(server: str, allowed: RemoteImages) -> None:
    with pytest.raises(ImageNotFound, match="redirects more than"):
        allowed.fetch(f"{server}/to/" * 8, "")


@pytest.mark.parametrize(("status", "error"), [(404, ImageNotFound), (410, ImageNotFound), (403, ImageNotFound)])
def test_statuses_that_stay(server: str, allowed: RemoteImages, status: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=str(status)):
        allowed.fetch(f"{server}/status/{status}", "")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_statuses_that_pass_can_be_retried(server: str, allowed: RemoteImages, status: int) -> None:
    with pytest.raises(ImageFetchFailed, match=str(status)) as caught:
        allowed.fetch(f"{server}/status/{status}", "")
    assert caught.value.retryable


@pytest.mark.parametrize("path", ["big", "endless"])
def test_more_bytes_than_the_limit_are_not_taken(server: str, allowed: RemoteImages, path: str) -> None:
    with pytest.raises(ImageTooLarge):
        allowed.fetch(f"{server}/{path}", "")


@pytest.mark.parametrize("path", ["slow", "broken"])
def test_a_host_that_does_not_finish_can_be_retried(server: str, allowed: RemoteImages, path: str) -> None:
    with pytest.raises(ImageFetchFailed):
        allowed.fetch(f"{server}/{path}", "")


def test_a_host_that_is_away_can_be_retried(allowed: RemoteImages) -> None:
    for url in ("http://127.0.0.1:1/a.jpg", "http://no-such-host.invalid/a.jpg"):
        with pytest.raises(ImageFetchFailed):
            allowed.fetch(url, "")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_forbidden(server: str, guarded: RemoteImages, host: str) -> None:
    port = server.rsplit(":", 1)[1]
    with pytest.raises(ImageRefForbidden, match="not public"):
        guarded.fetch(f"http://{host}:{port}/a.jpg", "")


def test_a_redirect_to_a_forbidden_address_is_refused(server: str) -> None:
    images = RemoteImages(LIMITS, DownloadLimits(timeout_s=1.0, allowed_hosts=("127.0.0.1",)))
    for target in ("http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://localhost:1/"):
        with pytest.raises(ImageRefForbidden, match="not public"):
            images.fetch(f"{server}/to/{target}", "")
    with pytest.raises(ImageRefForbidden, match="no http"):
        images.fetch(f"{server}/to/file:///etc/passwd", "")
    images.close()


@pytest.mark.parametrize(
    "url", ["http://", "http:///a.jpg", "http://host:99999/a.jpg", "ftp://host/a.jpg", "http://a\u2100.b"]
)
def test_impossible_addresses_are_refused(guarded: RemoteImages, url: str) -> None:
    with pytest.raises((ImageRefForbidden, ImageFetchFailed)):
        guarded.fetch(url, "")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public
