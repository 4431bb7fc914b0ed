"""A TCP proxy in front of a server, which a test can tell to refuse: works before any server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class RefusingProxy:
    """Forwards bytes both ways; while ``refusing`` is set it closes every connection, old and new."""

    def __init__(self, target_url: str) -> None:
        parts = urlsplit(target_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.refusing = threading.Event()
        self.refused = 0

    @property
    def url(self) -> str:
        """To be used instead of the server's."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def start(self) -> None:
        """Begins to forward."""
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self) -> None:
        """Closes what is open and whatever comes."""
        self.refusing.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Ends it."""
        self.refuse()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            if self.refusing.is_set():
                self.refused += 1
                connection.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                connection.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {connection, server}
            for source, sink in ((connection, server), (server, connection)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source}
        source.close()


@contextmanager
def running_proxy(target_url: str) -> Iterator[RefusingProxy]:
    """A proxy of its own, until the end of the block."""
    proxy = RefusingProxy(target_url)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
