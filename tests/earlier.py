"""Collections as an earlier version of this program wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

from indexer import points
from indexer.indexing import change, run_ends
from indexer.store import edge_shard
from indexer.store.payload_indexes import PAYLOAD_INDEXES

_LATER = {"main", "tags", "tag_probabilities", "category_path", "attribute_names", "identifiers"}


@contextmanager
def version_before_filters() -> Iterator[None]:
    """In the block payloads lack the fields that came with filters, and embedded shards their indexes."""
    fields = tuple(name for name in points._WRITTEN_FIELDS if name not in _LATER)
    indexes = {name: kind for name, kind in PAYLOAD_INDEXES.items() if name not in _LATER}

    def unmarked(payloads: object) -> object:
        assert isinstance(payloads, dict)
        return {identity: replace(payload, main=None) for identity, payload in payloads.items()}

    with (
        mock.patch.object(points, "_WRITTEN_FIELDS", fields),
        mock.patch.object(points, "_TAG_FIELDS", ()),
        mock.patch.object(change, "with_main", unmarked),
        mock.patch.object(run_ends, "bring_up_to_date", lambda _: None),
        mock.patch.object(edge_shard, "PAYLOAD_INDEXES", indexes),
        mock.patch.object(edge_shard.EdgeShard, "_index_attributes", lambda *_: None),
    ):
        yield
