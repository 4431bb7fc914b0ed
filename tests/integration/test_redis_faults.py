"""Redis away, for who waits for an answer: told at once after a few failures, and back by itself."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from indexer.errors import EventsUnavailable
from indexer.settings import load_settings
from tests.redis_server import RedisServer
from workers import redis_connection
from workers.redis_connection import RedisConnection, guarded_connection

_TIMEOUT_S = 60.0


@contextmanager
def listening_in_vain() -> Iterator[tuple[str, list[bytes]]]:
    """The address of what takes commands and never answers, and what it was sent."""
    received: list[bytes] = []

    class Taker(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(65_536):
                received.append(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Taker) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0", received
        finally:
            server.shutdown()
            thread.join()


def test_redis_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "_ANSWER_TIMEOUT_S", 0.3)
    with (
        listening_in_vain() as (url, received),
        closing(RedisConnection(url, EventsUnavailable)) as connection,
        pytest.raises(EventsUnavailable, match="Redis cannot be used"),
    ):
        connection.call("GET", "what-is-asked")
    assert len(received) == 1


def test_redis_that_is_away_is_left_alone_until_it_is_back(redis_server: RedisServer) -> None:
    values = {"redis_url": redis_server.url, "breaker_failures": "3", "breaker_pause_s": "0.3"}
    settings = load_settings(values, environment={}).settings
    deadline_s = time.monotonic() + _TIMEOUT_S
    with closing(guarded_connection(settings, "event log", EventsUnavailable)) as connection:
        connection.call("SET", "kept", "1")
        redis_server.kill()
        while True:
            with pytest.raises(EventsUnavailable) as refused:
                connection.call("GET", "kept")
            if refused.value.retry_after_s is not None:
                break  # not asked any more
            assert "Redis cannot be used" in refused.value.reason
            assert time.monotonic() < deadline_s
        assert "The event log is not asked now" in refused.value.reason
        redis_server.start()
        while True:
            try:
                assert connection.call("GET", "kept") == "1"
                break
            except EventsUnavailable:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
