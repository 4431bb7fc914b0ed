"""Requests as bytes on a socket, for what no HTTP client would send, or would send so slowly."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any, Self

import httpx

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document that it is."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


class RawConnection:
    """A connection to the server of a client."""

    def __init__(self, client: httpx.Client) -> None:
        self._socket = socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE_S)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Sends, as far as the server takes it."""
        self._socket.sendall(data)

    def answer(self) -> RawAnswer:
        """The next answer."""
        status = int(self._reader.readline().split()[1])
        headers = {}
        while line := self._reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return RawAnswer(status, headers, self._reader.read(int(headers.get("content-length", 0))))

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        try:
            return self._reader.read()
        except ConnectionError:
            return b""

    def some(self, most: int) -> bytes:
        """A part of what comes, at most so many bytes; empty at the end."""
        return self._reader.read1(most)

    def is_cut(self) -> bool:
        """Whether the server ends the connection although what it sent was not read; waits for it."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                self._socket.sendall(b"\r\n")
            except ConnectionError:
                return True
            time.sleep(0.02)
        return False

    def is_closed(self) -> bool:
        """Whether the server ends the connection, with nothing more to say; waits for it."""
        try:
            return self._reader.read(1) == b""
        except ConnectionError:
            return True


def head(method: str, path: str, *headers: str) -> bytes:
    """Request line and headers."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: shop", *headers, "", "")).encode("latin-1")
