"""The formats of feeds that are read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FeedFormat(StrEnum):
    """What a feed is written in, gzip aside."""

    GOOGLE_XML = "google-xml"
    """Google Merchant Center: RSS 2.0 or Atom 1.0 with ``g:`` elements."""
    GOOGLE_TSV = "google-tsv"
    """Google Merchant Center: tab-separated text."""
    YML = "yml"
    """Yandex Market's price list."""
    CSV = "csv"
    """A table as text, separated by commas, semicolons, tabs or bars."""
    JSONL = "jsonl"
    """JSON Lines: one object for each product."""
    PARQUET = "parquet"
    """Apache Parquet."""


@dataclass(frozen=True, slots=True)
class DetectedFeed:
    """What a file turned out to be.

    Attributes:
        format: of its content.
        gzipped: whether that content is packed with gzip.
    """

    format: FeedFormat
    gzipped: bool


READ: str = (
    "Read are Google Merchant Center (XML, TSV), Yandex Market YML, CSV, JSONL and Parquet; text formats also as .gz."
)
"""A sentence for those who came with another one."""
