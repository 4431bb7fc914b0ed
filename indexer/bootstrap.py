"""The one place where settings become running parts; every process of the core is wired here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from indexer.calibration.calibrate import Calibrator
from indexer.calibration.probes import Pictures
from indexer.catalog import open_feed
from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError
from indexer.evaluation.queries import LabelledQuery, read_queries
from indexer.events.apply import EventApplier
from indexer.events.follow import Follower, FollowOptions
from indexer.events.overlay import EventOverlay
from indexer.events.port import EventLog
from indexer.events.retries import RetryPace
from indexer.images.decoder import Decoder, InProcessDecoder
from indexer.images.decoder_processes import DecoderProcesses
from indexer.images.download import RemoteImages
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.dispatcher import Dispatcher, QueueStatus
from indexer.indexing.inline import IndexParts, InlineDispatcher
from indexer.indexing.pipeline import IndexPipeline
from indexer.long_lived import long_lived
from indexer.records import installed
from indexer.records import open_embedded_work_queue as open_embedded_work_queue
from indexer.records import open_event_log as open_event_log
from indexer.records import open_event_logs as open_event_logs
from indexer.records import open_ledger as open_ledger
from indexer.records import open_token_buckets as open_token_buckets
from indexer.records import open_work_queue as open_work_queue
from indexer.regions.finder import RegionFinder
from indexer.reindex.catch_up import EventCatchUp
from indexer.reindex.parts import ReindexParts, SwitchParts
from indexer.reindex.verify import Golden
from indexer.settings import Settings
from indexer.store.port import Alias, VectorStore
from indexer.telemetry.exposition import figures_file
from indexer.telemetry.tracing import tracing

if TYPE_CHECKING:
    from indexer.precision.tune import Tuning

_RUNS_LOOKED_AT = 100

Check: TypeAlias = Callable[[], object]
"""Raises a VitrineError if something is wrong."""


def open_store(settings: Settings, *, read_only: bool = False) -> VectorStore:
    """The vector store that the settings name.

    Args:
        settings: effective ones.
        read_only: for a process that only searches: the read-only key, and little patience with a failing server.

    Raises:
        ConfigurationError: a server without an address, or certificates that cannot be read.
        StoreUnavailable, StoreRefused: it does not answer, or not with this key.
    """
    if settings.store == "edge":
        from indexer.store.edge_store import EdgeStore

        return EdgeStore(settings.data_dir / "store", settings.index_tuning(), follow_s=settings.follow_s)
    if not settings.qdrant_url:
        raise ConfigurationError("The store is a Qdrant server, but qdrant_url is empty.", "Set VITRINE_QDRANT_URL.")
    from indexer.store.qdrant_gateway import QdrantGateway
    from indexer.store.qdrant_store import QdrantStore

    options = settings.server_options(read_only=read_only)
    gateway = QdrantGateway.connect(settings.server_address(read_only=read_only), settings.index_tuning(), options)
    return QdrantStore(gateway, options)


def open_embedder(settings: Settings) -> Embedder:
    """The model, loaded and warm; takes seconds.

    Raises:
        EmbedderError: it cannot be loaded.
    """
    # Pillow, libtiff's wrapper included, warns about odd files; what matters is in the ImageError
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with long_lived():
        # torch and open_clip take seconds to import, which commands that need no model do not pay
        from indexer.embedding.load import load_embedder

        return load_embedder(settings.model_choice())


def open_decoder(settings: Settings) -> Decoder:
    """What decodes pictures; a context manager, whose processes start with its block."""
    if settings.decode_in == "threads":
        return InProcessDecoder(settings.image_limits())
    return DecoderProcesses(settings.image_limits(), settings.process_options())


def open_detector(settings: Settings) -> RegionFinder:
    """The detector that finds objects in photos, instead of the model's own patches; takes seconds.

    Raises:
        ConfigurationError: there is no such detector, or its weights cannot be used.
    """
    from indexer.regions.detector import load_detector

    return load_detector(settings.region_detector, most=settings.region_count)


@contextmanager
def tuning(settings: Settings, feed: Path | None, pictures: int) -> Iterator[Tuning]:
    """All that ``tune`` needs: the model loaded, and a sample of the catalog.

    Args:
        settings: effective ones.
        feed: whose pictures are taken; None takes the feed of the latest run, or drawn pictures if there is none.
        pictures: how many to measure on.

    Raises:
        VitrineError: a part cannot be had.
    """
    from indexer.embedding.load import open_model
    from indexer.precision.samples import Preparation, catalog_sample, drawn_sample
    from indexer.precision.tune import Tuning, ways_here

    feed = feed or _latest_feed(settings)
    if feed is not None:
        open_feed(feed, default_currency=settings.default_currency)  # what is wrong with it is told before seconds pass
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with ExitStack() as stack:
        remote = RemoteImages(settings.image_limits(), settings.download_limits())
        stack.callback(remote.close)
        opened = stack.enter_context(open_model(settings.model_choice()))
        preprocess = opened.builder.model.preprocess
        if feed is None:
            sample = drawn_sample(preprocess.apply, preprocess.size_px)
        else:
            source = ImagesByReference(LocalImages(settings.image_limits()), remote)
            how = Preparation(source, stack.enter_context(open_decoder(settings)), preprocess.square)
            sample = catalog_sample(feed, how, pictures=pictures, default_currency=settings.default_currency)
        yield Tuning(opened.builder, opened.records, sample, ways_here(opened.device), opened.builder.batch_size)


def _latest_feed(settings: Settings) -> Path | None:
    ledger = open_ledger(settings)
    try:
        feeds = [Path(run.plan.feed) for run in ledger.runs(_RUNS_LOOKED_AT) if run.plan.feed]
    finally:
        ledger.close()
    return next((feed for feed in feeds if feed.is_file()), None)


@contextmanager
def visible(settings: Settings, process: Literal["command", "follow"]) -> Iterator[None]:
    """Shows what this indexer process does: figures in a file for the API to show, and traces where they go anywhere.

    Args:
        settings: effective ones.
        process: what its figures are labelled with; of several with that label the one that ends last is seen.

    Raises:
        ConfigurationError: traces cannot be sent as the settings say.
    """
    with ExitStack() as stack:
        stack.enter_context(tracing("vitrine-indexer", settings.otlp_endpoint, settings.otlp_trace_ratio))
        if settings.dispatcher == "inline":
            stack.enter_context(figures_file(settings.figures_dir, process))
        yield


@contextmanager
def dispatching(settings: Settings, before_model: Check | None = None) -> Iterator[Dispatcher]:
    """Whoever carries out index runs, released at the end.

    Args:
        settings: effective ones.
        before_model: see ``indexing``; not called where workers have the model, as nothing is slow here then.

    Raises:
        VitrineError: a part cannot be had.
    """
    if settings.dispatcher == "inline":
        with visible(settings, "command"), indexing(settings, before_model) as parts:
            yield InlineDispatcher(parts)
        return
    with visible(settings, "command"), installed("vitrine.dispatchers", settings.dispatcher)(settings) as dispatcher:
        yield dispatcher


def queue_status(settings: Settings) -> Sequence[QueueStatus]:
    """What waits for workers; empty without any.

    Raises:
        VitrineError: a part cannot be had.
    """
    if settings.dispatcher == "inline":
        return ()
    with dispatching(settings) as dispatcher:
        return dispatcher.queues()


@contextmanager
def indexing(settings: Settings, before_model: Check | None = None) -> Iterator[IndexParts]:
    """All that an index run needs, released at the end.

    Args:
        settings: effective ones.
        before_model: called when all but the model is there: what else may be wrong is told before seconds go into it.

    Raises:
        VitrineError: a part cannot be had.
    """
    with ExitStack() as stack:
        # cheap parts first: what is wrong with them is told before seconds go into the model
        ledger = open_ledger(settings)
        stack.callback(ledger.close)
        events = open_event_logs(settings)
        stack.callback(events.close)
        events.of("")  # so that what is wrong with them is told now
        store = open_store(settings)
        stack.callback(store.close)
        if before_model:
            before_model()
        decoder = stack.enter_context(open_decoder(settings))
        embedder = open_embedder(settings)
        remote = RemoteImages(settings.image_limits(), settings.download_limits())
        stack.callback(remote.close)
        source = ImagesByReference(LocalImages(settings.image_limits()), remote)
        pipeline = stack.enter_context(
            IndexPipeline(
                embedder,
                source,
                decoder,
                image_threads=settings.image_thread_count(),
                downloads=settings.download_connections,
                events=lambda tenant: EventOverlay(events.of(tenant)),
            )
        )
        pictures = Pictures(embedder, source, decoder)
        calibrator = Calibrator(store, pictures, automatic=settings.calibrate)
        yield IndexParts(embedder, store, ledger, pipeline, settings.alias_catalog, settings.writer_wait_s, calibrator)


@contextmanager
def following(settings: Settings, tell: Callable[[str], None]) -> Iterator[Follower]:
    """The embedded indexer process's work, released at the end.

    Args:
        settings: effective ones.
        tell: called with sentences for people.

    Raises:
        VitrineError: a part cannot be had.
    """
    with ExitStack() as stack:
        stack.enter_context(visible(settings, "follow"))
        logs = open_event_logs(settings)
        stack.callback(logs.close)
        queue = open_embedded_work_queue(settings)
        stack.callback(queue.close)
        parts = stack.enter_context(indexing(settings))
        options = FollowOptions(
            settings.event_gather_s,
            settings.event_keep_days,
            settings.batch_products,
            settings.default_currency,
            settings.data_dir / "follower" / "in_hand.json",
            RetryPace(settings.retry_limit, settings.retry_base_s, settings.retry_max_s),
            settings.tenants,
        )
        yield Follower(parts, logs, queue, options, tell)


@contextmanager
def reindexing(
    settings: Settings, golden: Path | None = None, old: Settings | None = None, before_model: Check | None = None
) -> Iterator[ReindexParts]:
    """All that a reindex needs, released at the end.

    Args:
        settings: of the model that the catalog is indexed with anew.
        golden: labelled queries to compare the new index with the one that serves.
        old: settings of the model that serves now, if it may be another one.
        before_model: see ``indexing``.

    Raises:
        VitrineError: a part cannot be had.
    """
    with ExitStack() as stack:
        queries = [] if golden is None else read_queries(golden, where={})
        stack.enter_context(visible(settings, "command"))
        parts = stack.enter_context(indexing(settings, before_model))
        dispatcher: Dispatcher = InlineDispatcher(parts)
        if settings.dispatcher != "inline":
            dispatcher = stack.enter_context(installed("vitrine.dispatchers", settings.dispatcher)(settings))
        events = open_event_log(settings)
        stack.callback(events.close)
        applier = _applier(events, parts, settings)
        compared = partial(_golden, queries, settings, old or settings, parts) if queries else None
        yield ReindexParts(parts, dispatcher, EventCatchUp(events, lambda: applier), compared)


@contextmanager
def switching(settings: Settings) -> Iterator[SwitchParts]:
    """What promotion, rollback and pruning need; the model is loaded only if there are events to bring in.

    Raises:
        VitrineError: a part cannot be had.
    """
    with ExitStack() as stack:
        ledger = open_ledger(settings)
        stack.callback(ledger.close)
        events = open_event_log(settings)
        stack.callback(events.close)
        store = open_store(settings)
        stack.callback(store.close)
        loaded: list[EventApplier] = []

        def applier() -> EventApplier:
            if not loaded:
                parts = stack.enter_context(indexing(settings))
                loaded.append(_applier(events, parts, settings))
            return loaded[0]

        yield SwitchParts(store, ledger, EventCatchUp(events, applier), settings.alias_catalog)


def _applier(events: EventLog, parts: IndexParts, settings: Settings) -> EventApplier:
    return EventApplier(events, parts.pipeline, parts.embedder, batch_products=settings.batch_products)


@contextmanager
def _golden(queries: Sequence[LabelledQuery], settings: Settings, old: Settings, parts: IndexParts) -> Iterator[Golden]:
    """The queries with the index that serves now: in the new model's space, else in the old model's."""
    with ExitStack() as stack:
        decoder = stack.enter_context(open_decoder(settings))
        models: list[Callable[[], Embedder]] = [lambda: parts.embedder]
        if old != settings:
            models.append(lambda: open_embedder(old))
        for model in models:
            served = model()
            current = parts.store.current(Alias(settings.alias_catalog, served.space.space_id))
            if current:
                reader = parts.store.collection_reader(current)
                stack.callback(reader.close)
                yield Golden(queries, decoder, served, reader)
                return
        yield Golden(queries, decoder)
