"""The API in this process behind a real socket, for tests that give it parts of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI

from indexer.embedding.port import Embedder
from indexer.settings import Settings
from search_api.app import create_app
from search_api.serving import ApiServer
from tests.processes import free_port

_START_TIMEOUT_S = 30.0


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the app, which listens on a free port until the end of the block."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while not server.started:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served_as_configured(settings: Settings, embedder: Embedder) -> Iterator[httpx.Client]:
    """A client of the API with all that its own server adds, on a free port until the end of the block."""
    with listening(create_app(settings, load_embedder=lambda _: embedder), settings) as client:
        yield client


@contextmanager
def listening(app: FastAPI, settings: Settings) -> Iterator[httpx.Client]:
    """The same for any app."""
    settings = settings.model_copy(update={"port": free_port()})
    server = ApiServer(app, settings, log_level="error")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=60, trust_env=False) as client:
            _wait_until_open(client)
            yield client
    finally:
        server.stop()
        thread.join()


def _wait_until_open(client: httpx.Client) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            client.get("/healthz", headers={"Connection": "close"})
        except httpx.ConnectError:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        else:
            return


def wait_for_status(client: httpx.Client, path: str, status: int) -> httpx.Response:
    """The first answer with that status."""
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        response = client.get(path)
        if response.status_code == status:
            return response
        assert time.monotonic() < deadline_s, f"{path} still answers {response.status_code}: {response.text}"
        time.sleep(0.02)
