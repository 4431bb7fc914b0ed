"""Writers to the collections that messages name; one for each, for as long as the process lives."""

from __future__ import annotations

import threading

from indexer.spaces import EmbeddingSpace
from indexer.store.port import Alias, CollectionWriter, VectorStore
from indexer.store.tenant_store import of_tenant

_KEPT_WRITERS = 8


class RunWriters:
    """Opens a writer at the first message that names its collection.

    Args:
        store: one that several processes may write to.
        space: of the vectors that are written.
    """

    def __init__(self, store: VectorStore, space: EmbeddingSpace) -> None:
        self._store = store
        self._space = space
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, str], CollectionWriter] = {}

    def writer(self, alias: Alias, collection: str, donor: str = "", tenant: str = "") -> CollectionWriter:
        """Writes into that very collection, whatever the alias answers with by now.

        Args:
            alias: that it is for.
            collection: physical name.
            donor: collection whose vectors may be copied; empty for none.
            tenant: whose products are written; empty without tenants.

        Raises:
            CollectionNotFound: it was deleted.
            SpaceMismatch: it is of another space.
            StoreUnavailable: the store does not answer.
        """
        key = collection, donor, tenant
        with self._lock:
            if key not in self._open:
                while len(self._open) >= _KEPT_WRITERS:
                    self._open.pop(next(iter(self._open)))
                store = of_tenant(self._store, tenant)
                self._open[key] = store.target(alias, self._space, collection=collection, donor=donor)
            return self._open[key]
