"""Clients that ask over loopback HTTP and cost little themselves: keep-alive connections, requests made beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

UNLIMITED = ("--address-requests-per-s", "0", "--address-concurrency", "0", "--query-slowdown", "0")
"""Flags of a server whose clients all have one address."""
_FORMING = 0.25


@dataclass(frozen=True, slots=True)
class Load:
    """What clients saw.

    Attributes:
        latencies_ms: of each request that was answered with 200, from its first byte sent to its last one received.
        bodies: of these answers, if they were to be kept.
        ended_s: when each of them was answered, from the first request on.
        asked_s: for so long the clients asked.
        failed: other answers.
        wall_s: from the first request to the last answer.
        client_s: of processor time that the clients themselves took, which the server could not have.
    """

    latencies_ms: list[float]
    bodies: list[bytes]
    ended_s: list[float]
    asked_s: float
    failed: int
    wall_s: float
    client_s: float

    @property
    def rate(self) -> float:
        """Answers a second while all clients ask: neither of the first quarter, in which a queue forms, nor of the end,
        when nobody asks any more and the queue empties."""
        start_s = self.asked_s * _FORMING
        return sum(start_s < ended_s <= self.asked_s for ended_s in self.ended_s) / (self.asked_s - start_s)

    def percentile_ms(self, percent: float) -> float:
        """Of the latencies."""
        return float(np.percentile(self.latencies_ms, percent))


@dataclass(slots=True)
class _Counts:
    start_s: float
    latencies_ms: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    failed: int = 0


def request(path: str, body: bytes, media_type: str) -> bytes:
    """A whole POST request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def ask(url: str, requests: Iterator[bytes], *, clients: int, duration_s: float, keep: bool = False) -> Load:
    """Clients that each ask one request after the other for so long.

    Args:
        url: of the server.
        requests: taken by whichever client is free.
        clients: connections.
        duration_s: nothing is asked after this; what is under way is waited for.
        keep: whether bodies are kept.
    """
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    counts = _Counts(start_s)

    async def run() -> None:
        end_s = start_s + duration_s
        await asyncio.gather(*(_client(url, requests, end_s, counts, keep=keep) for _ in range(clients)))

    asyncio.run(run())
    return Load(
        counts.latencies_ms,
        counts.bodies,
        counts.ended_s,
        duration_s,
        counts.failed,
        time.perf_counter() - start_s,
        time.process_time() - start_cpu_s,
    )


async def _client(url: str, requests: Iterator[bytes], until_s: float, counts: _Counts, *, keep: bool) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while (start_s := time.perf_counter()) < until_s:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            if head.startswith(b"HTTP/1.1 200"):
                end_s = time.perf_counter()
                counts.latencies_ms.append((end_s - start_s) * 1000)
                counts.ended_s.append(end_s - counts.start_s)
                if keep:
                    counts.bodies.append(body)
            else:
                counts.failed += 1
    finally:
        writer.close()
        await writer.wait_closed()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without a length")
