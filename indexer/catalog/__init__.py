"""Catalog feeds, read as a stream: ``open_feed(path)`` and iterate.

::

    path → byte_source (gzip, limits) → text_source → table / jsonl ─┐
                                      → xml_rows → google / yml ─────┼→ rows.RowBuilder → CatalogProduct | RowError
                                        parquet ─────────────────────┘    (fields, text, money, values, image_refs)
"""

from __future__ import annotations

from indexer.catalog.detect import detect_format
from indexer.catalog.feed import Feed, FeedProgress, open_feed
from indexer.catalog.formats import DetectedFeed, FeedFormat

__all__ = ["DetectedFeed", "Feed", "FeedFormat", "FeedProgress", "detect_format", "open_feed"]
