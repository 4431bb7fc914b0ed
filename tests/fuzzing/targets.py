"""What is fuzzed: functions of bytes that raise where something other than an answer or a named error comes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from indexer.catalog import FeedFormat, open_feed
from indexer.errors import FeedError, ImageError
from indexer.images.decode import decode_image
from indexer.images.limits import ImageLimits
from indexer.products import CatalogProduct, RowError

_LIMITS = ImageLimits(max_pixels=4_000_000, timeout_s=5.0)
"""Smaller than a server's, so that a run sees many pictures."""
_PARQUET_MAGIC = b"PAR1"
_FORMATS = (None, *(item for item in FeedFormat if item is not FeedFormat.PARQUET))


def picture(data: bytes) -> None:
    """A picture, whole and as queries see it, or an ``ImageError``."""
    for min_side_px in (None, 32):
        try:
            decoded = decode_image(data, _LIMITS, min_side_px=min_side_px)
        except ImageError as error:
            assert error.code and error.reason
            continue
        assert decoded.image.mode == "RGB"
        assert not decoded.image.info
        assert not dict(decoded.image.getexif())
        assert min(decoded.width_px, decoded.height_px, *decoded.image.size) >= 1


def feed(data: bytes) -> None:
    """Products and row errors, or a ``FeedError``: as the format that it seems to be, and as every other.

    Parquet is left out: what is inside such a file is pyarrow's to judge, in C++, which this cannot look into.
    """
    if data.startswith(_PARQUET_MAGIC):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed"
        path.write_bytes(data)
        for feed_format in _FORMATS:
            try:
                for entry in open_feed(path, format=feed_format):
                    check_entry(entry)
            except FeedError as error:
                assert error.code and error.reason
                assert "\n" not in error.reason


def check_entry(entry: CatalogProduct | RowError) -> None:
    """Whether it is what the rest of the program takes for granted: sizes, prices with a currency, text for UTF-8."""
    assert entry.line >= 1
    assert len(entry.product_id) <= 512
    entry.product_id.encode()
    if isinstance(entry, RowError):
        assert entry.reason.endswith(".")
        return
    assert entry.product_id == entry.product_id.strip() != ""
    assert entry.title == " ".join(entry.title.split()) != ""
    assert entry.image_refs
    assert (entry.price_minor is None) == (entry.currency == "")
    assert all(name == name.lower() and text for name, text in entry.attributes.items())
    if entry.updated_at is not None:
        entry.updated_at.astimezone(UTC)
    texts = [entry.title, entry.description, entry.link, entry.brand, *entry.image_refs, *entry.category]
    "".join([*texts, *entry.attributes, *entry.attributes.values()]).encode()


@dataclass(frozen=True, slots=True)
class Target:
    """What is fuzzed.

    Attributes:
        run: raises where there is a fault.
        max_bytes: of an input that is worth a try.
    """

    run: Callable[[bytes], None]
    max_bytes: int


TARGETS: Mapping[str, Target] = {
    "pictures": Target(picture, 8_192),
    "feeds": Target(feed, 4_096),
}
