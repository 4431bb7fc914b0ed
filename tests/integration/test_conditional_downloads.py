"""An index run over pictures on a web host: what did not change is asked for, and neither sent nor embedded."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from indexer.embedding.port import Embedder
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import Counts
from indexer.ledger.sqlite import SqliteLedger
from indexer.store.edge_store import EdgeStore
from indexer.store.tuning import IndexTuning
from tests.pictures import catalog_row, drawn_picture, encoded, write_feed

LIMITS = ImageLimits()


class Cdn:
    """Pictures by path, with an ETag each, and how often which status was answered."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self.statuses: Counter[int] = Counter()
        self.url = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        cdn = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                data = cdn.pictures.get(self.path, b"")
                etag = f'"{hashlib.sha256(data).hexdigest()[:12]}"'
                same = self.headers.get("If-None-Match") == etag
                status = 404 if not data else 304 if same else 200
                cdn.statuses[status] += 1
                self.send_response(status)
                self.send_header("ETag", etag)
                if status != 304:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if status == 200:
                    self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    made = Cdn()
    with ThreadingHTTPServer(("127.0.0.1", 0), made.handler()) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def parts(tmp_path: Path, tiny_embedder: Embedder) -> Iterator[IndexParts]:
    ledger = SqliteLedger(tmp_path / "data" / "ledger.sqlite3")
    store = EdgeStore(tmp_path / "data" / "store", IndexTuning(), follow_s=0)
    remote = RemoteImages(LIMITS, DownloadLimits(timeout_s=20, allowed_hosts=("127.0.0.1",)))
    source = ImagesByReference(LocalImages(LIMITS), remote)
    with IndexPipeline(tiny_embedder, source, InProcessDecoder(LIMITS), image_threads=4) as pipeline:
        yield IndexParts(tiny_embedder, store, ledger, pipeline, "products")
    remote.close()
    store.close()
    ledger.close()


def test_only_what_changed_travels(tmp_path: Path, cdn: Cdn, parts: IndexParts) -> None:
    feed = tmp_path / "feed.jsonl"

    def index(prices: int = 0) -> Counts:
        rows = [catalog_row(n, [f"{cdn.url}/{n}-0.jpg", f"{cdn.url}/{n}-1.jpg"]) for n in range(5)]
        write_feed(feed, [row | {"price": f"{n + 1 + prices}.00 EUR"} for n, row in enumerate(rows)])
        cdn.statuses.clear()
        return index_feed(feed, IndexOptions(batch_products=2), InlineDispatcher(parts)).counts

    for n in range(5):
        for position in range(2):
            cdn.pictures[f"/{n}-{position}.jpg"] = encoded(drawn_picture(n * 10 + position))
    assert index() == Counts(rows=5, products=5, images=10, embedded=10)
    assert cdn.statuses == {200: 10}

    assert index() == Counts(rows=5, products=5, images=10, reused=10, unchanged=10)
    assert cdn.statuses == {304: 10}

    assert index(prices=1) == Counts(rows=5, products=5, images=10, reused=10, payload_updates=10)
    assert cdn.statuses == {304: 10}

    cdn.pictures["/3-1.jpg"] = encoded(drawn_picture(777))
    counts = index(prices=1)
    assert (counts.embedded, counts.unchanged, counts.removed) == (1, 9, 1)
    assert cdn.statuses == {304: 9, 200: 1}
    # the new picture has its own validator
    assert index(prices=1).unchanged == 10
    assert cdn.statuses == {304: 10}

    del cdn.pictures["/0-0.jpg"]
    counts = index(prices=2)
    assert (counts.failed, counts.payload_updates, counts.removed) == (1, 10, 0)
    cdn.pictures["/0-0.jpg"] = encoded(drawn_picture(0))
    counts = index(prices=2)
    assert (counts.failed, counts.unchanged) == (0, 10)
    assert cdn.statuses == {304: 10}
