"""The one place where settings become running parts; every process of the core is wired here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError
from indexer.images.download import RemoteImages
from indexer.images.source import ImagesByReference, LocalImages
from indexer.indexing.pipeline import IndexPipeline
from indexer.indexing.run import IndexParts
from indexer.ledger.port import RunLedger
from indexer.ledger.sqlite import SqliteLedger
from indexer.settings import Settings
from indexer.store.port import VectorStore


def open_store(settings: Settings) -> VectorStore:
    """The vector store that the settings name.

    Raises:
        ConfigurationError: a server without an address.
        StoreUnavailable: it does not answer.
    """
    if settings.store == "edge":
        from indexer.store.edge_store import EdgeStore

        return EdgeStore(settings.data_dir / "store", settings.index_tuning(), follow_s=settings.follow_s)
    if not settings.qdrant_url:
        raise ConfigurationError("The store is a Qdrant server, but qdrant_url is empty.", "Set VITRINE_QDRANT_URL.")
    from indexer.store.qdrant_store import QdrantStore

    return QdrantStore.connect(
        settings.qdrant_url,
        settings.index_tuning(),
        api_key=settings.qdrant_api_key.get_secret_value(),
        timeout_s=settings.qdrant_timeout_s,
    )


def open_ledger(settings: Settings) -> RunLedger:
    """The run ledger.

    Raises:
        LedgerUnavailable: it cannot be opened.
    """
    return SqliteLedger(settings.data_dir / "ledger.sqlite3")


def open_embedder(settings: Settings) -> Embedder:
    """The model, loaded and warm; takes seconds.

    Raises:
        EmbedderError: it cannot be loaded.
    """
    # torch and open_clip take seconds to import, which commands that need no model do not pay
    from indexer.embedding.load import load_embedder

    # Pillow, libtiff's wrapper included, warns about odd files; what matters is in the ImageError
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return load_embedder(settings.model_choice())


@contextmanager
def indexing(settings: Settings) -> Iterator[IndexParts]:
    """All that an index run needs, released at the end.

    Raises:
        VitrineError: a part cannot be had.
    """
    with ExitStack() as stack:
        # cheap parts first: what is wrong with them is told before seconds go into the model
        ledger = open_ledger(settings)
        stack.callback(ledger.close)
        store = open_store(settings)
        stack.callback(store.close)
        embedder = open_embedder(settings)
        remote = RemoteImages(settings.image_limits(), settings.download_limits())
        stack.callback(remote.close)
        source = ImagesByReference(LocalImages(settings.image_limits()), remote)
        pipeline = stack.enter_context(
            IndexPipeline(embedder, source, settings.image_limits(), image_threads=settings.image_thread_count())
        )
        yield IndexParts(embedder, store, ledger, pipeline, settings.catalog)
