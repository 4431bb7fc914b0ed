"""The Qdrant server that tests use: the one at ``QDRANT_URL``, else the stand-in in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qdrant_client import QdrantClient

from tests.processes import REPOSITORY, free_port, program_environment

REAL_URL = os.environ.get("QDRANT_URL", "")
"""Of a real server; empty where there is none."""

_START_TIMEOUT_S = 120.0


@contextmanager
def running_stand_in() -> Iterator[str]:
    """The stand-in's address, from ready until the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.qdrant_stand_in", str(port)],
        cwd=REPOSITORY,
        env=program_environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not _answers(url):
            assert process.poll() is None, "the stand-in ended"
            assert time.monotonic() < deadline_s, "the stand-in did not start"
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def control(url: str, **wanted: Any) -> dict[str, Any]:
    """Tells a stand-in to ``refuse_s``, ``pause_s`` or ask for a ``key``; answers how often it was called."""
    data = json.dumps(wanted).encode() if wanted else None
    with urllib.request.urlopen(urllib.request.Request(f"{url}/control", data), timeout=10) as answer:  # noqa: S310
        value: dict[str, Any] = json.load(answer)
        return value


def remove_catalog(url: str, catalog: str) -> None:
    """Deletes every collection of a catalog, so that a shared server stays clean."""
    client = QdrantClient(url=url, check_compatibility=False)
    for item in client.get_collections().collections:
        if item.name.startswith(f"{catalog}--"):
            client.delete_collection(item.name)
    client.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/collections", timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
