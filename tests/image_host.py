"""A host of pictures that can be slow, silent, held back, down, or lead elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from tests.pictures import drawn_picture, encoded


class ImageHost:
    """Paths: ``/picture/SEED`` answers, ``/slow/SEED`` after a moment, ``/held/SEED`` once ``release`` was called,
    ``/down/SEED`` with 503 until ``repair`` was called, ``/silent/SEED`` never, ``/to/URL`` redirects.
    """

    slow_s = 0.03

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.waiting = 0
        self._counting = threading.Lock()
        self.released = threading.Event()
        self.repaired = threading.Event()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """By name, which a setting may allow; the address stays forbidden."""
        return f"http://localhost:{self._server.server_address[1]}"

    @property
    def forbidden_url(self) -> str:
        """The same host by its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def hold(self) -> None:
        """Until ``release``; ``waiting`` counts who is held."""
        with self._counting:
            self.waiting += 1
        self.released.wait()

    def stop(self) -> None:
        """Lets go of every request and ends."""
        self.closing.set()
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, _, rest = self.path[1:].partition("/")
                host.requests[kind] += 1
                if kind == "silent":
                    host.closing.wait()
                    return
                if kind == "to":
                    self.send_response(302)
                    self.send_header("Location", unquote(rest))
                    self.end_headers()
                    return
                if kind == "slow":
                    time.sleep(host.slow_s)
                if kind == "held":
                    host.hold()
                if kind == "down" and not host.repaired.is_set():
                    self.send_error(503)
                    return
                data = encoded(drawn_picture(int(rest)))
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    host.requests["broken"] += 1  # who asked was killed meanwhile

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing."""

        return Handler


@contextmanager
def running_image_host() -> Iterator[ImageHost]:
    """A host of its own, until the end of the block."""
    host = ImageHost()
    host.start()
    try:
        yield host
    finally:
        host.stop()
