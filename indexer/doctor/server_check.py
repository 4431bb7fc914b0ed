"""A Qdrant server: whether it answers with this key, and what it has."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from indexer import bootstrap
from indexer.doctor.findings import Finding, Notes
from indexer.doctor.model_check import chosen_model, recorded_name
from indexer.errors import StoreError
from indexer.settings import Settings


def check_server(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``."""
    notes = Notes("store")
    impatient = settings.model_copy(update={"qdrant_search_retry_s": 0.0, "qdrant_timeout_s": 3})
    try:
        # with the key that may only read, where there is one: what the search API does must work
        with closing(bootstrap.open_store(impatient, read_only=True)) as store:
            collections = store.collections()
    except StoreError as error:
        notes.error(error.code, error.reason, error.remedy or "Start it, and check qdrant_url and the keys.")
        return notes.made
    own = [item for item in collections if item.alias.rpartition("--")[0] == settings.alias_catalog]
    notes.ok(f"{settings.qdrant_url} answers; it has {len(collections)} collections of this program.")
    if not own:
        notes.warning("catalog_not_indexed", f"No alias of {settings.alias_catalog!r} is there.", "Index a feed.")
    elif (wanted := recorded_name(chosen_model(settings))) not in {item.space.model for item in own}:
        names = ", ".join(sorted({item.space.model for item in own}))
        notes.warning(
            "model_differs",
            f"The catalog is indexed with {names}; the settings name {wanted}.",
            "Set model to what it was indexed with, or index it with this one (reindex --model).",
        )
    for item in own:
        notes.ok(f"{item.alias} answers with {item.collection}: {item.points:,} pictures, {item.space.model}.")
    return notes.made
