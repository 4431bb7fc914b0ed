"""The bytes below the formats: gzip, its limits, and how far a feed is read."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import pytest

from indexer.catalog import FeedFormat, FeedProgress, byte_source, open_feed
from indexer.errors import FeedError, FeedUnreadable, FeedUnsafe
from indexer.products import CatalogProduct
from tests.unit.catalog.feeds import MUG, Row, encoded, read, write

TEXT_FORMATS = pytest.mark.parametrize("feed_format", [f for f in FeedFormat if f is not FeedFormat.PARQUET])
ALL = pytest.mark.parametrize("feed_format", list(FeedFormat))


def rows(count: int) -> list[Row]:
    # Texts that differ, so that packed bytes grow with the rows.
    return [
        {**MUG, "id": f"m{n}", "description": " ".join(f"{(n * 7919 + k * 104_729) % 1_000_003:x}" for k in range(60))}
        for n in range(count)
    ]


@TEXT_FORMATS
def test_gzip_of_many_members_is_one_feed(tmp_path: Path, feed_format: FeedFormat) -> None:
    content = encoded(feed_format, rows(50))
    packed = b"".join(gzip.compress(content[start : start + 1000]) for start in range(0, len(content), 1000))
    assert read(write(tmp_path, packed + bytes(512))) == read(write(tmp_path, content, "plain"))


@TEXT_FORMATS
def test_gzip_that_breaks_off_yields_the_rows_before(tmp_path: Path, feed_format: FeedFormat) -> None:
    packed = gzip.compress(encoded(feed_format, rows(4000)))
    feed = iter(open_feed(write(tmp_path, packed[: len(packed) // 2])))
    entries = []
    with pytest.raises(FeedUnreadable, match="breaks off: its gzip stream has no end"):
        for entry in feed:
            entries.append(entry)  # noqa: PERF402 - the entries before the exception are wanted
    assert len(entries) > 1000
    assert all(isinstance(entry, CatalogProduct) for entry in entries)


def test_damaged_gzip_is_unreadable(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(encoded(FeedFormat.CSV, rows(2000))))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    with pytest.raises(FeedUnreadable, match=r"damaged gzip|breaks off"):
        read(write(tmp_path, bytes(packed)))
    wrong_sum = bytearray(gzip.compress(encoded(FeedFormat.CSV, rows(20))))
    wrong_sum[-8] ^= 1
    with pytest.raises(FeedUnreadable, match="damaged gzip"):
        read(write(tmp_path, bytes(wrong_sum)))
    with pytest.raises(FeedError):
        open_feed(write(tmp_path, b"\x1f\x8b"))


def test_gzip_that_unpacks_to_absurdly_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_source, "RATIO_FREE_BYTES", 1024 * 1024)
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packed:
        packed.write(b"id,title,image_link\n1,Mug,a.jpg\n")
        packed.write(b"\n" * 4 * 1024 * 1024)
    feed = iter(open_feed(write(tmp_path, out.getvalue())))
    with pytest.raises(FeedUnsafe, match="500 times its size"):
        list(feed)


def test_rows_that_differ_in_their_id_only_are_no_bomb() -> None:
    plain = b"".join(f'{{"id": {n}, "title": "{"x" * 1000}", "image": "a.jpg"}}\n'.encode() for n in range(10_000))
    assert len(plain) / len(zlib.compress(plain)) < byte_source.MAX_RATIO / 2


@ALL
def test_progress_goes_from_nothing_to_all_bytes(tmp_path: Path, feed_format: FeedFormat) -> None:
    path = write(tmp_path, encoded(feed_format, rows(3000)))
    feed = open_feed(path)
    total = path.stat().st_size
    assert feed.progress() == FeedProgress(0, total)
    seen = [feed.progress().bytes_read for _ in feed]
    assert seen == sorted(seen)
    assert 0 < seen[0] < total
    assert feed.progress() == FeedProgress(total, total)


def test_progress_counts_packed_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(encoded(FeedFormat.CSV, rows(5000))))
    feed = open_feed(path)
    iterator = iter(feed)
    for _ in range(2500):
        next(iterator)
    progress = feed.progress()
    assert progress.bytes_total == path.stat().st_size
    assert 0.2 * progress.bytes_total < progress.bytes_read <= progress.bytes_total
    list(iterator)
    assert feed.progress().bytes_read == progress.bytes_total


@ALL
def test_progress_begins_anew_with_each_reading(tmp_path: Path, feed_format: FeedFormat) -> None:
    feed = open_feed(write(tmp_path, encoded(feed_format, rows(3000))))
    list(feed)
    next(iter(feed))
    assert feed.progress().bytes_read < feed.progress().bytes_total


@ALL
def test_feed_can_be_read_again(tmp_path: Path, feed_format: FeedFormat) -> None:
    feed = open_feed(write(tmp_path, encoded(feed_format, rows(20))))
    assert list(feed) == list(feed)


@ALL
def test_feed_left_in_the_middle_closes_its_file(tmp_path: Path, feed_format: FeedFormat) -> None:
    # A file left open would be a ResourceWarning, which pytest turns into an error.
    iterator = iter(open_feed(write(tmp_path, encoded(feed_format, rows(500)))))
    next(iterator)
    del iterator
