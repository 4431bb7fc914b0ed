"""Running parts for tests that index for real: Edge on disk, SQLite, the tiny checkpoint."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.embedding.port import Embedder
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.progress import IndexProgress
from indexer.indexing.run import IndexOptions, index_feed, retry_failures
from indexer.ledger.port import RunRecord
from indexer.ledger.sqlite import SqliteLedger
from indexer.store.edge_store import EdgeStore
from indexer.store.port import CollectionReader
from indexer.store.tuning import IndexTuning
from tests.fleet import RunningFleet
from tests.image_host import ImageHost, running_image_host
from tests.qdrant_server import remove_catalog

LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class Shop:
    """An embedded installation."""

    parts: IndexParts

    @property
    def dispatcher(self) -> InlineDispatcher:
        return InlineDispatcher(self.parts)

    def index(self, feed: Path, *, full: bool = False, limit: int = 0, batch: int = 4) -> RunRecord:
        return index_feed(feed, IndexOptions(full=full, limit=limit, batch_products=batch), self.dispatcher)

    def index_listening(self, feed: Path, listen: Callable[[IndexProgress], None]) -> RunRecord:
        return index_feed(feed, IndexOptions(batch_products=4), self.dispatcher, listen)

    def retry(self, run_id: str) -> RunRecord:
        return retry_failures(run_id, 4, self.dispatcher)

    def reader(self) -> CollectionReader:
        return self.parts.store.reader(self.parts.alias)


@pytest.fixture
def open_shop(tmp_path: Path, tiny_embedder: Embedder) -> Iterator[Callable[..., Shop]]:
    """Opens the installation in ``tmp_path``; may be called again, as another process would."""
    with ExitStack() as stack:

        def open_it(embedder: Embedder = tiny_embedder) -> Shop:
            ledger = SqliteLedger(tmp_path / "data" / "ledger.sqlite3")
            stack.callback(ledger.close)
            store = EdgeStore(tmp_path / "data" / "store", IndexTuning(exact_below=500), follow_s=0)
            stack.callback(store.close)
            remote = RemoteImages(LIMITS, DownloadLimits(timeout_s=2))
            stack.callback(remote.close)
            source = ImagesByReference(LocalImages(LIMITS), remote)
            pipeline = stack.enter_context(IndexPipeline(embedder, source, InProcessDecoder(LIMITS), image_threads=4))
            return Shop(IndexParts(embedder, store, ledger, pipeline, "products"))

        yield open_it


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop()


@pytest.fixture
def catalog_name(fleet: RunningFleet, qdrant_url: str) -> Iterator[str]:
    """A catalog of the test's own; the workers of its module's fleet write to whatever catalog a message names."""
    fleet.settings["catalog"] = name = f"test_{secrets.token_hex(6)}"
    yield name
    remove_catalog(qdrant_url, name)


@pytest.fixture
def host() -> Iterator[ImageHost]:
    """A host of pictures that answers well, badly or not at all."""
    with running_image_host() as running:
        yield running
