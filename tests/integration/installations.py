"""Whole installations for tests of reindexes: embedded, or on a server that is real or stands in for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer.embedding.port import Embedder
from indexer.events.apply import EventApplier
from indexer.events.overlay import EventOverlay
from indexer.events.pending import PendingEvents
from indexer.events.port import EventLog
from indexer.events.sqlite import SqliteEventLog
from indexer.images.decoder import InProcessDecoder
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.progress import ProgressListener, no_progress
from indexer.indexing.run import IndexOptions, index_feed
from indexer.ledger.port import RunRecord
from indexer.ledger.reindexes import ReindexRecord
from indexer.ledger.sqlite import SqliteLedger
from indexer.points import StoredPoint
from indexer.reindex.catch_up import EventCatchUp
from indexer.reindex.limits import VerifyLimits
from indexer.reindex.parts import ReindexOptions, ReindexParts, SwitchParts
from indexer.reindex.reindexer import reindex
from indexer.store.edge_store import EdgeStore
from indexer.store.port import Alias, CollectionReader, VectorStore
from indexer.store.qdrant_gateway import QdrantGateway
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.qdrant_store import QdrantStore
from indexer.store.tuning import IndexTuning
from tests.qdrant_server import REAL_URL

LIMITS = ImageLimits()
TUNING = IndexTuning(exact_below=500)


@dataclass(frozen=True, slots=True)
class Installation:
    """Parts of one process; see ``Site.opened``."""

    parts: IndexParts
    events: EventLog
    catch_up: EventCatchUp

    @property
    def store(self) -> VectorStore:
        return self.parts.store

    @property
    def alias(self) -> Alias:
        return self.parts.alias

    @property
    def current(self) -> str:
        return self.store.current(self.alias)

    def index(self, feed: Path, *, full: bool = False) -> RunRecord:
        return index_feed(feed, IndexOptions(full=full, batch_products=4), InlineDispatcher(self.parts))

    def reindex(
        self,
        feed: Path,
        *,
        promote: bool = True,
        listen: ProgressListener = no_progress,
        limits: VerifyLimits | None = None,
        reindex_parts: ReindexParts | None = None,
    ) -> ReindexRecord:
        options = ReindexOptions(promote, 4, limits=limits or VerifyLimits(), lock_wait_s=0.0)
        return reindex(feed, options, reindex_parts or self.reindex_parts(), listen)

    def reindex_parts(self) -> ReindexParts:
        return ReindexParts(self.parts, InlineDispatcher(self.parts), self.catch_up)

    def switch_parts(self) -> SwitchParts:
        return SwitchParts(self.store, self.parts.ledger, self.catch_up, self.parts.catalog)

    def apply_events(self) -> int:
        return PendingEvents(self.parts, self.events, lambda _: None, batch_products=4).apply()

    def reader(self) -> CollectionReader:
        return self.store.reader(self.alias)

    def state(self) -> dict[str, tuple[StoredPoint, ...]]:
        """All that serves."""
        with_all = self.store.collection_reader(self.current)
        try:
            return dict(with_all.product_points([f"p{number}" for number in range(40)]))
        finally:
            with_all.close()


@dataclass(frozen=True, slots=True)
class Site:
    """Where an installation keeps its things; any number of processes may open it.

    Attributes:
        data_dir: of ledger, events, and the embedded store.
        catalog: of its own.
        url: of a server; empty for an embedded store.
    """

    data_dir: Path
    catalog: str
    url: str = ""

    def open_store(self) -> VectorStore:
        if not self.url:
            return EdgeStore(self.data_dir / "store", TUNING, follow_s=0.02)
        options = ServerOptions()
        address = ServerAddress(self.url, prefer_grpc=bool(REAL_URL))
        return QdrantStore(QdrantGateway.connect(address, TUNING, options), options)

    @contextmanager
    def opened(self, embedder: Embedder) -> Iterator[Installation]:
        with ExitStack() as stack:
            ledger = SqliteLedger(self.data_dir / "ledger.sqlite3")
            stack.callback(ledger.close)
            events = SqliteEventLog(self.data_dir / "events.sqlite3")
            stack.callback(events.close)
            store = self.open_store()
            stack.callback(store.close)
            remote = RemoteImages(LIMITS, DownloadLimits(timeout_s=2))
            stack.callback(remote.close)
            source = ImagesByReference(LocalImages(LIMITS), remote)
            pipeline = stack.enter_context(
                IndexPipeline(
                    embedder, source, InProcessDecoder(LIMITS), image_threads=4, events=lambda _: EventOverlay(events)
                )
            )
            parts = IndexParts(embedder, store, ledger, pipeline, self.catalog)
            applier = EventApplier(events, pipeline, embedder)
            yield Installation(parts, events, EventCatchUp(events, lambda: applier))


@dataclass(slots=True)
class Watch:
    """What searches in a loop met with.

    Attributes:
        answers: number of answers.
        collections: that answered, in their order, of each thread that searches.
        problems: errors, empty answers, answers that mix two states.
    """

    answers: int = 0
    collections: list[list[str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def with_limits(**changes: float) -> VerifyLimits:
    """The default limits, but for some."""
    return replace(VerifyLimits(), **changes)  # type: ignore[arg-type]


Opened = Callable[[], Installation]
