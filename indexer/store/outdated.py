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


def wordless(collection: str) -> CollectionOutdated:
    """The error for a collection that was made without a place for the products' words.

    Args:
        collection: that was asked.
    """
    return CollectionOutdated(
        f"The words of the products of {collection} are not indexed, as an earlier version made it.",
        "Run: python -m indexer index FEED; if the server cannot add them to a collection that is there, reindex FEED. "
        "Neither embeds a picture again.",
    )
