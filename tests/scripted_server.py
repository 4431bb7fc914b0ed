"""An HTTP server that answers as a test's script says, one line of it a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Scripted:
    """An answer.

    Attributes:
        hang_s: seconds before it begins.
        drip_s: seconds between its bytes.
        cut: whether the connection ends in the middle of it.
    """

    status: int = 200
    body: bytes = b'{"status": "ok"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ScriptedServer:
    """Where it listens, and what came to it so far."""

    url: str
    received: list[Received]


@contextmanager
def scripted_server(script: Sequence[Scripted]) -> Iterator[ScriptedServer]:
    """A server that gives these answers one after the other, then the last one again and again."""
    received: list[Received] = []
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            line = script[min(len(received), len(script) - 1)]
            received.append(Received(self.command, self.path, dict(self.headers), body))
            stopping.wait(line.hang_s)
            self.send_response(line.status)
            for name, value in line.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(line.body) + line.cut))
            self.end_headers()
            for byte in line.body if line.drip_s else ():
                self.wfile.write(bytes([byte]))
                if stopping.wait(line.drip_s):
                    break
            else:
                self.wfile.write(b"" if line.drip_s else line.body)
            self.close_connection = line.cut

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away in the middle are part of the script."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield ScriptedServer(f"http://127.0.0.1:{server.server_port}", received)
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
