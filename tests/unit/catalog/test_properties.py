"""Whatever the bytes: entries or a FeedError; and what is written in a format is what is read."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.catalog import FeedFormat, open_feed
from indexer.errors import FeedError
from indexer.products import CatalogProduct
from tests.fuzzing.targets import check_entry
from tests.unit.catalog.feeds import MUG, Row, encoded, read

SEEDS = [
    encoded(feed_format, [{**MUG, "id": f"m{n}", "price": "12.90 EUR"} for n in range(3)]) for feed_format in FeedFormat
]
WITHOUT_PARQUET = [seed for seed in SEEDS if not seed.startswith(b"PAR1")]
FRAGMENTS = [
    b"<item>", b"</item>", b"<g:id>", b"</g:id>", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<!DOCTYPE ", b"&", b"&nbsp;",
    b"<offer id='1'>", b"</offer>", b"<category id='1'>", b'"', b",", b"\t", b"\n", b"\r", b"\0", b"\xff", b"\xd0",
    b"{", b"}", b"[", b"]", b":", b"null", b"1e999", b"\\ud800", b"../", b"http://", b"&#0;", b"<?xml encoding='x'?>",
]  # fmt: skip


def check(content: bytes, *, formats: bool) -> None:
    """Read content as what it seems to be, and as every format; any exception but FeedError is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed"
        path.write_bytes(content)
        for feed_format in [None, *FeedFormat] if formats else [None]:
            if feed_format is FeedFormat.PARQUET and not content.startswith(b"PAR1"):
                continue
            try:
                for entry in open_feed(path, format=feed_format):
                    check_entry(entry)
            except FeedError as error:
                assert error.reason
                assert "\n" not in error.reason


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_entries_or_a_feed_error(content: bytes) -> None:
    check(content, formats=True)


@given(st.data())
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_feeds_are_entries_or_a_feed_error(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    # Parquet is cut only: what is written into the middle of one is for pyarrow to judge, in C++.
    damages = 0 if content.startswith(b"PAR1") else data.draw(st.integers(1, 4))
    for _ in range(damages):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 12)))
        content[start:stop] = data.draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=6))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    packed = data.draw(st.booleans())
    check(gzip.compress(bytes(content)) if packed else bytes(content), formats=True)


@given(st.sampled_from(WITHOUT_PARQUET), st.data())
@settings(deadline=None, max_examples=100)
def test_damaged_gzip_is_entries_or_a_feed_error(seed: bytes, data: st.DataObject) -> None:
    content = bytearray(gzip.compress(seed))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    check(bytes(content[: data.draw(st.integers(at, len(content)))]), formats=False)


# XML allows no control characters, and a lone surrogate is no character in any format.
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="<&\ufffe\uffff"), max_size=30)
PATHS = st.text("abcПж0-_ .", min_size=1, max_size=20).map(lambda name: f"images/x{name.strip()}.jpg")


@st.composite
def products(draw: st.DrawFn) -> list[Row]:
    ids = draw(st.lists(WORDS.map(lambda text: f"i{text.strip()}"), min_size=1, max_size=5, unique=True))
    return [
        {
            "id": product_id,
            "title": f"T{draw(WORDS)}",
            "description": f"D{draw(WORDS)}",
            "link": f"https://shop.example/{draw(st.text('abc&?=,;', max_size=9))}",
            "image_link": draw(PATHS),
            "additional_image_link": draw(st.lists(PATHS, max_size=3)),
            "price": f"{draw(st.integers(0, 10**8))}.{draw(st.integers(0, 99)):02d} EUR",
            "availability": draw(st.sampled_from(["in_stock", "out_of_stock"])),
            "brand": f"B{draw(WORDS)}",
            "color": f"C{draw(WORDS)}",
        }
        for product_id in ids
    ]


def expected(row: Row, line: int) -> CatalogProduct:
    def folded(name: str) -> str:
        return " ".join(str(row[name]).split())

    pictures = row["additional_image_link"]
    assert isinstance(pictures, list)
    return CatalogProduct(
        product_id=str(row["id"]).strip(),
        title=folded("title"),
        image_refs=tuple(dict.fromkeys([str(row["image_link"]), *pictures])),
        description=folded("description"),
        link=str(row["link"]),
        brand=folded("brand"),
        price_minor=int(str(row["price"]).removesuffix(" EUR").replace(".", "")),
        currency="EUR",
        in_stock=row["availability"] == "in_stock",
        attributes={"color": folded("color")},
        line=line,
    )


@given(products(), st.sampled_from(list(FeedFormat)), st.booleans())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_in_a_format_is_what_is_read(rows: list[Row], feed_format: FeedFormat, pack: bool) -> None:
    content = encoded(feed_format, rows)
    if pack and feed_format is not FeedFormat.PARQUET:
        content = gzip.compress(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed"
        path.write_bytes(content)
        entries = read(path)
    assert entries == [expected(row, entry.line) for row, entry in zip(rows, entries, strict=True)]
