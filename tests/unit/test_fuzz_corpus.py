"""What fuzzing found once is tried again in each run; ``make fuzz`` finds more."""

from __future__ import annotations

import pytest

from indexer.catalog import FeedFormat, detect_format
from indexer.errors import FeedError, ImageError
from indexer.images.decode import decode_image
from indexer.images.formats import sniff_format
from indexer.images.limits import ImageLimits
from tests.fuzzing.corpus import inputs, name_of
from tests.fuzzing.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_ends_in_an_answer_or_a_named_error(name: str) -> None:
    paths = inputs(name)
    assert len(paths) > 30
    for path in paths:
        data = path.read_bytes()
        assert name_of(data) == path.name, "its name is not that of its content"
        try:
            TARGETS[name].run(data)
        except Exception as error:
            raise AssertionError(f"{path}: {error!r}; make it small with: python -m tests.fuzzing {name}") from error


def test_the_corpus_has_pictures_of_every_format_whole_and_damaged() -> None:
    whole, damaged = set(), set()
    for path in inputs("pictures"):
        data = path.read_bytes()
        kind = sniff_format(data)
        try:
            decode_image(data, ImageLimits())
            whole.add(kind)
        except ImageError:
            damaged.add(kind)
    assert {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"} <= whole
    assert {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", None} <= damaged


def test_the_corpus_has_feeds_of_every_format_packed_and_refused() -> None:
    known, codes = set(), set()
    for path in inputs("feeds"):
        try:
            found = detect_format(path)
            known.add((found.format, found.gzipped))
        except FeedError as error:
            codes.add(error.code)
    expected = {(item, packed) for item in FeedFormat if item is not FeedFormat.PARQUET for packed in (False, True)}
    assert expected <= known
    assert {"feed_unsafe", "feed_unreadable", "feed_format_unknown"} <= codes
