"""Fixtures shared by all tests, and the folder of real data that a fresh clone does not have."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.choice import LOCAL_DIR, ModelChoice
from indexer.embedding.port import Embedder
from indexer.processors import available_cores
from tests.checkpoints import write_tiny_checkpoint
from tests.qdrant_server import REAL_URL, remove_catalog, running_stand_in
from tests.redis_server import RedisServer, require_redis

REPOSITORY = Path(__file__).resolve().parents[1]
_MOST_PROCESSES = 4


def pytest_xdist_auto_num_workers() -> int:
    """Processes of ``pytest -n auto``: one more than cores, as tests also wait, for other processes and for clocks."""
    return min(_MOST_PROCESSES, available_cores() + 1)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this process reaches beyond the loopback interface; one that tries fails by name."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def local_resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(host, str) and host != "localhost" and _address(host) is None and not _is_number(host):
            raise socket.gaierror(f"tests do not look up names: {host}")
        return resolve(host, *arguments, **options)

    def local_connect(self: socket.socket, address: Any) -> None:
        ip = _address(str(address[0])) if isinstance(address, tuple) else None
        if ip is not None and not (ip.is_loopback or ip.is_unspecified):
            raise ConnectionRefusedError(f"tests do not leave this machine: {address}")
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", local_resolve)
    monkeypatch.setattr(socket.socket, "connect", local_connect)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return None


def _is_number(host: str) -> bool:
    """Whether the host is an IPv4 address in one of its shorter spellings, which no name server is asked for."""
    return host.replace(".", "").isdigit()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos and feeds, see CONTRIBUTING.md; a test that needs them skips itself where they are missing."""
    folder = Path(os.environ.get("VITRINE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set VITRINE_SHARED_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The setting ``model`` for a small checkpoint with random weights."""
    folder = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")
    return f"{LOCAL_DIR}{folder}"


@pytest.fixture(scope="session")
def tiny_embedder(tiny_model: str) -> Embedder:
    """The small checkpoint, loaded."""
    from indexer.embedding.load import load_embedder

    return load_embedder(ModelChoice(model=tiny_model, device="cpu", threads=1))


@pytest.fixture(scope="session")
def qdrant_url() -> Iterator[str]:
    """A Qdrant server's address: ``QDRANT_URL``, else a stand-in; shared, so use a catalog of your own."""
    if REAL_URL:
        yield REAL_URL
        return
    with running_stand_in() as url:
        yield url


@pytest.fixture
def stand_in_url() -> Iterator[str]:
    """A stand-in of the test's own, which it may tell to fail; see ``tests.qdrant_server.control``."""
    with running_stand_in() as url:
        yield url


@pytest.fixture
def qdrant_catalog(qdrant_url: str) -> Iterator[str]:
    """A catalog name that no other test uses; its collections are deleted afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    remove_catalog(qdrant_url, name)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which it may kill and start again."""
    require_redis()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    require_redis()
    server = RedisServer(tmp_path_factory.mktemp("redis") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(_session_redis: RedisServer) -> str:
    """The setting ``redis_url`` for an empty Redis."""
    _session_redis.empty()
    return _session_redis.url
