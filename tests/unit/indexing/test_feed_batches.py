"""How far a feed is read, as a run's progress tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.catalog import open_feed
from indexer.errors import FeedError
from indexer.indexing.feed_batches import feed_batches
from tests.pictures import catalog_row, write_feed


@pytest.mark.parametrize("limit", [0, 20])
def test_a_small_feed_is_read_when_its_last_batch_is(tmp_path: Path, limit: int) -> None:
    """All of it is in the reader's buffer from the first row on."""
    feed = tmp_path / "feed.jsonl"
    write_feed(feed, [catalog_row(number, [f"p{number}.jpg"]) for number in range(25)])
    broken_off: list[FeedError] = []
    planned = list(feed_batches(open_feed(feed), 8, limit, broken_off.append))
    assert not broken_off
    assert [len(item.batch.products) for item in planned] == ([8, 8, 8, 1] if not limit else [8, 8, 4])
    fractions = [item.fraction for item in planned]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(fraction < 1 for fraction in fractions[:-1])
