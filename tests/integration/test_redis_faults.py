"""Redis away, for who waits for an answer: told at once after a few failures, and back by itself."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from indexer.errors import EventsUnavailable
from indexer.settings import load_settings
from tests.redis_server import RedisServer
from workers.redis_connection import guarded_connection

_TIMEOUT_S = 60.0


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
