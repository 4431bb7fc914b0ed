"""SIGTERM under load: every request that was accepted is answered, nothing new is taken."""

from __future__ import annotations

import http.client
import io
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image

from tests.pictures import draw_catalog
from tests.processes import run_indexer, running_api

CLIENTS = 24
_TIMEOUT_S = 60.0


def large_photo() -> bytes:
    """One that takes a while to decode."""
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((2400, 1800)).save(out, "JPEG", quality=90)
    return out.getvalue()


def under_way(client: httpx.Client) -> int:
    """Requests that the server has begun and not answered, without the one that asks for this."""
    text = client.get("/metrics").text
    line = next(line for line in text.splitlines() if line.startswith("vitrine_http_requests_in_progress "))
    return int(float(line.split()[1])) - 1


def test_what_was_accepted_before_sigterm_is_answered(tmp_path: Path, tiny_model: str) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=3)
    flags = ["--model", tiny_model]
    assert run_indexer("index", catalog.feed, "--data-dir", tmp_path / "data", *flags).returncode == 0
    photo = large_photo()
    limits = ["--query-slowdown", "0", "--address-concurrency", "0"]
    with running_api(tmp_path / "data", *flags, *limits) as api, ExitStack() as stack:
        where = urlsplit(api.url)
        connections = [http.client.HTTPConnection(where.hostname or "", where.port) for _ in range(CLIENTS)]
        for connection in connections:  # each is accepted before the load begins
            stack.callback(connection.close)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        statuses: list[int] = []

        def answer(connection: http.client.HTTPConnection) -> None:
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)

        for number, connection in enumerate(connections):
            connection.request("POST", "/v1/search/image", photo + b"%d" % number, {"Content-Type": "image/jpeg"})
        threads = [threading.Thread(target=answer, args=(connection,)) for connection in connections]
        for thread in threads:
            thread.start()
        with httpx.Client(base_url=api.url, trust_env=False) as client:
            deadline_s = time.monotonic() + _TIMEOUT_S
            while under_way(client) + len(statuses) < CLIENTS:
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
        in_time = len(statuses)
        api.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(_TIMEOUT_S)
        assert statuses == [200] * CLIENTS
        assert in_time < CLIENTS, "all were done before it was told to stop"
        assert api.process.wait(_TIMEOUT_S) in {0, -signal.SIGTERM}  # uvicorn ends in order, then by the signal
