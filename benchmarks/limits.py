"""What the limits cost a request, and what they are worth to others: ``python -m benchmarks.limits``.

Cost: the same small app with and without the limits, in turn, each figure the median of the pairs' differences. Worth:
a real server, one polite client that searches five times a second, and a greedy one of many connections at another
address, with the limits and without them; clients and server share this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.http_load import UNLIMITED, request
from indexer.bootstrap import open_token_buckets
from indexer.images.limits import ImageLimits
from indexer.rate_limits.port import Rate, TokenBuckets
from indexer.settings import load_settings
from search_api import access
from search_api.body_limit import BodyBounds, BodyLimit
from search_api.head_requests import HeadRequests
from search_api.limits.concurrency import Concurrency
from search_api.limits.connections import ConnectionLimits
from search_api.limits.http_protocol import bounded_protocol
from search_api.limits.rates import AddressLimits, KeyLimits
from search_api.limits.refusals import Refusals
from tests.processes import free_port, running_api
from tests.redis_server import RedisServer

_CALLS = 300
_ROUNDS = 40
_RATE = Rate(1e6, 1e6)
_POLITE_S = 0.2
_TIMEOUT_S = 60.0


async def _small_app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


class _Known:
    """In place of the authentication."""

    def __init__(self, app: ASGIApp, key_id: str) -> None:
        self._app = app
        self._access = access.Access(key_id, "", frozenset())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = access.current.set(self._access)
        try:
            await self._app(scope, receive, send)
        finally:
            access.current.reset(token)


def _limited(buckets: TokenBuckets, key_id: str) -> ASGIApp:
    bounds = BodyBounds(ImageLimits(), 1, 60.0)
    inner = BodyLimit(HeadRequests(_small_app), bounds)
    refusals = Refusals()
    places = Concurrency(inner, of_all=256, of_key=32, of_address=32, refusals=refusals)
    return AddressLimits(
        _Known(KeyLimits(places, buckets, _RATE, refusals), key_id), buckets, _RATE, refusals, proxies=False
    )


async def _call_us(app: ASGIApp) -> float:
    body = json.dumps({"text": "a red mug"}).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        pass

    begun_s = time.perf_counter()
    for _ in range(_CALLS):
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/search/text",
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"21")],
            "client": ("127.0.0.1", 1),
            "state": {},
        }
        await app(scope, receive, send)
    return (time.perf_counter() - begun_s) / _CALLS * 1e6


async def _difference_us(plain: Callable[[], Awaitable[float]], more: Callable[[], Awaitable[float]]) -> float:
    await plain(), await more()
    return statistics.median([-(await plain()) + await more() for _ in range(_ROUNDS)])


async def _cost_of_middlewares(redis_url: str, key_id: str) -> float:
    buckets = open_token_buckets(load_settings({"redis_url": redis_url}, environment={}).settings)
    app = _limited(buckets, key_id)
    try:
        return await _difference_us(lambda: _call_us(_small_app), lambda: _call_us(app))
    finally:
        await buckets.close()


@asynccontextmanager
async def _listening(**options: type[asyncio.Protocol]) -> AsyncIterator[int]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(_small_app, port=port, log_level="error", ws="none", lifespan="off", **options)  # type: ignore[arg-type]
    )
    running = asyncio.create_task(server._serve())  # noqa: SLF001 - without its signals
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await running


async def _cost_of_protocol() -> float:
    async with AsyncExitStack() as stack:
        limits = ConnectionLimits.of(load_settings(environment={}).settings)
        ports = [
            await stack.enter_async_context(_listening()),
            await stack.enter_async_context(_listening(http=bounded_protocol(limits))),
        ]
        streams = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
        asked = request("/v1/search/text", b'{"text": "a red mug"}', "application/json")

        async def batch_us(number: int) -> float:
            reader, writer = streams[number]
            begun_s = time.perf_counter()
            for _ in range(_CALLS):
                writer.write(asked)
                await _status(reader)
            return (time.perf_counter() - begun_s) / _CALLS * 1e6

        found = await _difference_us(lambda: batch_us(0), lambda: batch_us(1))
        for _, writer in streams:
            writer.close()
        return found


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return int(head[9:12])


@dataclass(slots=True)
class Client:
    """One address that searches.

    Attributes:
        address: of the loopback interface.
        port: of the server.
        name: makes its texts differ from all others', so that no cache answers.
        statuses: of all answers.
        latencies_ms: of those with 200.
    """

    address: str
    port: int
    name: str
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    _number: int = 0

    async def ask(self, end_s: float, pause_s: float) -> None:
        """Searches over one connection until then."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0))
        while time.perf_counter() < end_s:
            self._number += 1
            body = json.dumps({"text": f"red mug {self.name} {self._number}"}).encode()
            begun_s = time.perf_counter()
            writer.write(request("/v1/search/text", body, "application/json"))
            status = await asyncio.wait_for(_status(reader), _TIMEOUT_S)
            taken_s = time.perf_counter() - begun_s
            self.statuses[status] += 1
            if status == 200:
                self.latencies_ms.append(taken_s * 1000)
            await asyncio.sleep(max(0.0, pause_s - taken_s))
        writer.close()


async def _crowd(port: int, connections: int, seconds: float) -> tuple[Client, Client]:
    end_s = time.perf_counter() + seconds
    polite, greedy = Client("127.0.0.2", port, "polite"), Client("127.0.0.3", port, f"greedy {connections}")
    work = [polite.ask(end_s, _POLITE_S), *(greedy.ask(end_s, 0.0) for _ in range(connections))]
    await asyncio.gather(*work)
    return polite, greedy


def _told(title: str, seconds: float, polite: Client, greedy: Client) -> str:
    p50, p95 = (statistics.quantiles(polite.latencies_ms, n=20)[at] for at in (9, 18))
    return (
        f"{title:34} polite: {dict(polite.statuses)}, p50 {p50:.1f} ms, p95 {p95:.1f} ms; greedy: "
        f"{greedy.statuses[200] / seconds:.0f} answers/s, {sum(greedy.statuses.values()) / seconds:.0f} requests/s "
        f"{dict(greedy.statuses)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("data_dir", type=Path, help="An index of the demo: .demo/data, which make demo writes.")
    parser.add_argument("--connections", type=int, default=64, help="Of the greedy client.")
    parser.add_argument("--seconds", type=float, default=10.0, help="Of each period.")
    parsed = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            for title, url, key in (
                ("in memory, by address", "", ""),
                ("in memory, by address and key", "", "k"),
                ("in Redis, by address", server.url, ""),
                ("in Redis, by address and key", server.url, "k"),
            ):
                print(f"middlewares, {title}: {asyncio.run(_cost_of_middlewares(url, key)):.0f} microseconds a request")
        finally:
            server.stop()
    print(f"bounded connections: {asyncio.run(_cost_of_protocol()):.0f} microseconds a request")
    limits: dict[str, tuple[str, ...]] = {
        "default limits": (),
        "10 requests/s of an address": ("--address-requests-per-s", "10", "--address-burst-requests", "50"),
        "no limits": UNLIMITED,
    }
    for name, flags in limits.items():
        with running_api(parsed.data_dir, "--model", "demo", *flags) as api:
            port = urlsplit(api.url).port or 0
            asyncio.run(_crowd(port, 4, 3.0))  # warm
            for connections in (0, parsed.connections):
                polite, greedy = asyncio.run(_crowd(port, connections, parsed.seconds))
                title = f"{name}, {'beside the greedy' if connections else 'alone'}"
                print(_told(title, parsed.seconds, polite, greedy), flush=True)


if __name__ == "__main__":
    main()
