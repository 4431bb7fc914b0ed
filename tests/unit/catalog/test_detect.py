"""What a file is, told from its content; one clear sentence for what is no feed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from indexer.catalog import DetectedFeed, FeedFormat, detect_format, open_feed
from indexer.errors import ConfigurationError, FeedError, FeedFormatUnknown, FeedNotFound, FeedUnreadable
from tests.unit.catalog.feeds import MUG, encoded, google_item, google_xml, only_product, read, write, yml


@pytest.mark.parametrize("name", ["feed", "feed.csv", "feed.xml", "feed.parquet", "feed.json"])
@pytest.mark.parametrize("feed_format", list(FeedFormat))
def test_content_decides_and_not_the_name(tmp_path: Path, feed_format: FeedFormat, name: str) -> None:
    path = write(tmp_path, encoded(feed_format, [MUG]), name)
    assert detect_format(path) == DetectedFeed(feed_format, gzipped=False)
    assert only_product(read(path)).title == "Mug"


@pytest.mark.parametrize("feed_format", [f for f in FeedFormat if f is not FeedFormat.PARQUET])
def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path, feed_format: FeedFormat) -> None:
    path = write(tmp_path, gzip.compress(encoded(feed_format, [MUG])), "feed.xml")
    assert detect_format(path) == DetectedFeed(feed_format, gzipped=True)
    assert only_product(read(path)).title == "Mug"


def test_feed_says_what_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(encoded(FeedFormat.CSV, [MUG])), "feed.csv.gz")
    feed = open_feed(path)
    assert (feed.path, feed.folder, feed.format, feed.gzipped, feed.notes) == (path, tmp_path, "csv", True, ())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + google_xml("").encode(),
        b"<!-- made by hand --><rss><channel/></rss>",
        google_xml("").replace("UTF-8", "UTF-16").encode("utf-16"),
        b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>',
        b"<?xml version='1.0'?>\n<?xml-stylesheet href='x'?>\n<rss/>",
    ],
)
def test_google_xml_is_told_by_its_root_element(tmp_path: Path, content: bytes) -> None:
    assert detect_format(write(tmp_path, content)).format is FeedFormat.GOOGLE_XML


def test_yml_is_told_by_its_root_element(tmp_path: Path) -> None:
    content = yml("").replace("UTF-8", "windows-1251").encode("windows-1251")
    assert detect_format(write(tmp_path, content)).format is FeedFormat.YML


def test_given_format_is_not_questioned(tmp_path: Path) -> None:
    path = write(tmp_path, b"id\ttitle\timage_link\nm1\tMug\ta.jpg\n")
    assert detect_format(path).format is FeedFormat.GOOGLE_TSV
    assert open_feed(path, format=FeedFormat.CSV).format is FeedFormat.CSV


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", FeedUnreadable, "is empty"),
        (b"\n \r\n\t\n", FeedUnreadable, "is empty"),
        (b"\0" * 4096, FeedUnreadable, "is empty"),
        # mtime: bytes are part of a test's name, and the names must be the same in each process that collects them
        (gzip.compress(b"", mtime=0), FeedUnreadable, "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", FeedFormatUnknown, "web page"),
        (b"\n<HTML><head></head></HTML>", FeedFormatUnknown, "web page"),
        (b"<urlset><url/></urlset>", FeedFormatUnknown, "root element <urlset>"),
        (b"<<<", FeedUnreadable, "line 1, column 2"),
        (b"<rss", FeedUnreadable, "breaks off"),
        (b"PK\x03\x04rest", FeedFormatUnknown, "ZIP"),
        (b"\x28\xb5\x2f\xfdrest", FeedFormatUnknown, "Zstandard"),
        (b"%PDF-1.7", FeedFormatUnknown, "PDF"),
        (b"\x89PNG\r\n\x1a\n", FeedFormatUnknown, "picture"),
        (gzip.compress(gzip.compress(b"id,title,image\n", mtime=0), mtime=0), FeedFormatUnknown, "twice"),
        (gzip.compress(encoded(FeedFormat.PARQUET, [MUG]), mtime=0), FeedFormatUnknown, "Parquet file inside gzip"),
        (b'[{"id": "m1"}]', FeedFormatUnknown, "JSON array"),
        (b'{\n  "id": "m1"\n}\n', FeedFormatUnknown, "several lines"),
        (b"Dear reader,\nthis is a letter.\n", FeedFormatUnknown, "not known"),
        (bytes(range(256)), FeedFormatUnknown, "not known"),
    ],
)
def test_what_is_no_feed_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, error: type[FeedError], words: str
) -> None:
    path = write(tmp_path, content)
    for opener in (detect_format, open_feed):
        with pytest.raises(error, match=words) as caught:
            opener(path)
        assert str(path) in caught.value.reason
        assert caught.value.reason.endswith(".")
        assert "\n" not in str(caught.value)


def test_what_is_unknown_is_told_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(FeedFormatUnknown) as caught:
        open_feed(write(tmp_path, b"Dear reader"))
    for name in ("Google", "Yandex", "CSV", "JSONL", "Parquet", "gz"):
        assert name in caught.value.remedy


def test_json_array_is_told_the_way_to_jsonl(tmp_path: Path) -> None:
    with pytest.raises(FeedFormatUnknown) as caught:
        open_feed(write(tmp_path, b'[\n{"id": 1}\n]'))
    assert "jq -c '.[]' feed.json > feed.jsonl" in caught.value.remedy


@pytest.mark.parametrize("feed_format", list(FeedFormat))
def test_empty_file_is_unreadable_in_any_format(tmp_path: Path, feed_format: FeedFormat) -> None:
    with pytest.raises(FeedUnreadable, match="empty"):
        open_feed(write(tmp_path, b""), format=feed_format)


@pytest.mark.parametrize("feed_format", list(FeedFormat))
def test_wrong_format_given_ends_in_a_feed_error_or_bad_rows(tmp_path: Path, feed_format: FeedFormat) -> None:
    for other in FeedFormat:
        path = write(tmp_path, encoded(other, [MUG]))
        try:
            list(open_feed(path, format=feed_format))
        except FeedError as error:
            assert error.reason.startswith(str(path))


def test_missing_file_folder_and_device_are_not_found(tmp_path: Path) -> None:
    with pytest.raises(FeedNotFound, match="no file"):
        open_feed(tmp_path / "missing.xml")
    with pytest.raises(FeedNotFound, match="folder"):
        open_feed(tmp_path)
    with pytest.raises(FeedNotFound, match="no regular file"):
        open_feed(Path(os.devnull))
    with pytest.raises(FeedError):
        open_feed(tmp_path / "a\0b")
    with pytest.raises(FeedError):
        open_feed(tmp_path / ("x" * 5000))


def test_file_that_goes_away_is_not_found_when_read(tmp_path: Path) -> None:
    path = write(tmp_path, google_item(""))
    feed = open_feed(path)
    path.unlink()
    with pytest.raises(FeedNotFound):
        list(feed)


def test_default_currency_must_be_a_currency(tmp_path: Path) -> None:
    path = write(tmp_path, google_item("<g:price>12.90</g:price>"))
    product = only_product(read(path))
    assert (product.price_minor, product.currency, product.attributes) == (None, "", {"price": "12.90"})
    product = only_product(read(path, default_currency="eur"))
    assert (product.price_minor, product.currency, product.attributes) == (1290, "EUR", {})
    with pytest.raises(ConfigurationError, match="'euros'"):
        open_feed(path, default_currency="euros")
