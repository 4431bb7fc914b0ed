"""What a program's process imports in its first seconds; see ``tests.forked``."""

from __future__ import annotations

import indexer.cli.main
import indexer.embedding.load
import indexer.reindex.reindexer
import indexer.store.edge_store
import indexer.store.qdrant_gateway
import workers.__main__
import workers.serving

__all__ = ["indexer", "workers"]
