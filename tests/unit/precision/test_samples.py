"""The sample that agreement is measured on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import FeedUnreadable
from indexer.images.decoder import InProcessDecoder
from indexer.images.limits import ImageLimits
from indexer.images.source import LocalImages
from indexer.images.squares import Square
from indexer.precision.records import SpaceRecords
from indexer.precision.samples import CALIBRATED, QUERY_TEXTS, Preparation, Sample, catalog_sample, drawn_sample
from tests.pictures import catalog_row, draw_catalog, drawn_picture, encoded, write_feed

SIDE = 16


def preparation() -> Preparation:
    limits = ImageLimits()
    source, decoder = LocalImages(limits), InProcessDecoder(limits)
    return Preparation(source, decoder, Square(SIDE, "squash", "bicubic"))


def test_pictures_are_shared_out_and_none_is_in_both_parts(tmp_path: Path) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=90, pictures=2)
    sample = catalog_sample(catalog.feed, preparation(), pictures=500)
    assert len(sample.calibration) == 60
    assert len(sample.measured) == 120
    assert sample.measured.shape[1:] == (SIDE, SIDE, 3)
    assert not sample.fits_int8
    both = [picture.tobytes() for picture in (*sample.measured, *sample.calibration)]
    assert len(set(both)) == len(both)
    assert "Product 5" in sample.texts
    assert set(QUERY_TEXTS) <= set(sample.texts)
    again = catalog_sample(catalog.feed, preparation(), pictures=500)
    np.testing.assert_array_equal(again.measured, sample.measured)


def test_a_long_feed_is_sampled_from_all_of_it(tmp_path: Path) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=400)
    sample = catalog_sample(catalog.feed, preparation(), pictures=50)
    assert (len(sample.measured), len(sample.calibration)) == (50, CALIBRATED)
    numbers = [int(text.split()[1]) for text in sample.texts if text.startswith("Product ")]
    assert min(numbers) < 60
    assert max(numbers) > 340


def test_equal_damaged_and_missing_pictures_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    data = encoded(drawn_picture(1))
    rows = []
    for number in range(10):
        (tmp_path / f"images/{number}.jpg").write_bytes(data if number < 6 else encoded(drawn_picture(number)))
        rows.append(catalog_row(number, [f"images/{number}.jpg"]))
    (tmp_path / "images/9.jpg").write_bytes(b"no picture")
    rows.append(catalog_row(11, ["images/gone.jpg"]))
    rows.append(catalog_row(12, ["images/8.jpg"]) | {"title": "!!!"})
    write_feed(tmp_path / "feed.jsonl", rows)
    sample = catalog_sample(tmp_path / "feed.jsonl", preparation())
    assert len(sample.measured) + len(sample.calibration) == 4
    assert "!!!" not in sample.texts
    assert "here are 4" in sample.fits_int8


def test_a_feed_that_breaks_off_gives_what_could_be_read(tmp_path: Path) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=4)
    broken = catalog.folder / "broken.xml"
    items = "".join(
        f"<item><g:id>p{n}</g:id><title>Mug {n}</title><g:image_link>images/p{n}-0.jpg</g:image_link></item>"
        for n in range(4)
    )
    broken.write_text(f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}<item><g:id>x', "utf-8")
    assert len(catalog_sample(broken, preparation()).texts) == len(QUERY_TEXTS) + 4
    nothing = catalog.folder / "nothing.xml"
    nothing.write_text('<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>x', "utf-8")
    with pytest.raises(FeedUnreadable):
        catalog_sample(nothing, preparation())


def test_drawn_pictures_do_not_calibrate_int8() -> None:
    sample = drawn_sample(lambda image: np.asarray(image.resize((SIDE, SIDE))), SIDE)
    assert len({picture.tobytes() for picture in sample.measured}) == len(sample.measured) >= 50
    assert "name a feed" in sample.fits_int8


def test_a_sample_comes_back_from_its_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
    sample = Sample(pixels[:3], pixels[3:], ("красная кружка", "red mug"), "the feed a.xml", is_catalog=True)
    records = SpaceRecords(tmp_path / "space")
    assert records.sample() is None
    records.save_sample(sample)
    back = records.sample()
    assert back is not None
    np.testing.assert_array_equal(back.measured, sample.measured)
    np.testing.assert_array_equal(back.calibration, sample.calibration)
    assert (back.texts, back.source, back.is_catalog) == (sample.texts, sample.source, True)
    path = tmp_path / "space" / "sample.npz"
    for harm in (path.read_bytes()[:-200], b"", b"PK\x03\x04" + b"\0" * 50, json.dumps({}).encode()):
        path.write_bytes(harm)
        assert records.sample() is None
