"""A real redis-server that the tests start, kill and start again on the same port and files."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import free_port

_START_TIMEOUT_S = 30.0


def require_redis() -> None:
    """Skips the test where redis-server is not installed, unless every test is asked for."""
    if shutil.which("redis-server") is None and not os.environ.get("VITRINE_REQUIRE_ALL_TESTS"):
        pytest.skip("redis-server is not installed")


class RedisServer:
    """Debian's redis-server with its append-only file in a folder.

    Args:
        folder: created; keeps the data over ``kill`` and ``start``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The setting ``redis_url``."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        options += ["--appendonly", "yes", "--save", "", "--daemonize", "no"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["redis-server", *options], stdout=log, stderr=log)
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    def empty(self) -> None:
        """Removes all keys."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(100).startswith(b"+OK")

    def kill(self) -> None:
        """kill -9: nothing is saved but what the append-only file has."""
        self._stop(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it in order."""
        self._stop(signal.SIGTERM)

    def pause(self) -> None:
        """It takes connections and answers nothing, until ``resume``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends ``pause``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith(b"+PONG")
        except OSError:
            return False
