"""Collections of earlier versions, whose points lack fields that later ones filter, count and order by."""

from __future__ import annotations

from indexer.errors import CollectionOutdated
from indexer.store.filters import AnyOf

MARKED = AnyOf("main", (True, False))
"""Fulfilled by every point that has the derived fields, as all are written together."""


def outdated(collection: str, lacking: int, points: int) -> CollectionOutdated:
    """The error for a collection of which points lack the derived fields.

    Args:
        collection: that was asked.
        lacking: points without them.
        points: in it.
    """
    return CollectionOutdated(
        f"{lacking:,} of {points:,} points of {collection} were written by an earlier version and lack what filters by "
        "category, facets and orders need.",
        "Run: python -m indexer index FEED. It adds them and embeds nothing again.",
    )
