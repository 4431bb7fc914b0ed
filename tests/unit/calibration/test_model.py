"""What a calibration says of scores, and that it is read as it was written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from indexer.calibration.logistic import LogisticMap
from indexer.calibration.model import SAME_PICTURE, Calibration, KindCalibration, LevelShare, Match, Thresholds
from indexer.calibration.reliability import Bin, Reliability

RELIABILITY = Reliability(100, 0.01, 0.02, (Bin(0.5, 0.1, 0.2), Bin(0.5, 0.8, 0.7)))


def kind(same: float | None, curve: LogisticMap | None) -> KindCalibration:
    return KindCalibration(
        curve=curve,
        best_curve=curve and LogisticMap(curve.slope, curve.intercept + 1.0),
        thresholds=Thresholds(same, 0.85, 0.8),
        source="other pictures",
        queries=100,
        reliability=RELIABILITY,
        best_reliability=None,
        shares=(LevelShare("same", 10, 0.9, None), LevelShare(None, 90, 0.0, 0.5)),
        missed=0.01,
        strangers="others",
        strangers_told=0.9,
    )


def calibration(photo: KindCalibration | None, text: KindCalibration | None) -> Calibration:
    means = np.array([0.1, -0.2], dtype=np.float32), np.array([1e-8, 0.5], dtype=np.float32)
    return Calibration("space", "2026-01-01T00:00:00Z", 200, 100, photo, text, *means)


FULL = calibration(kind(0.9, LogisticMap(50.0, -45.0)), kind(None, None))


def test_it_is_read_as_it_was_written() -> None:
    read = Calibration.from_json(json.loads(json.dumps(FULL.to_json())))
    assert read is not None
    assert (read.photo, read.text, read.points, read.space_id) == (FULL.photo, FULL.text, 200, "space")
    np.testing.assert_allclose(read.image_mean, FULL.image_mean, atol=1e-6)
    np.testing.assert_allclose(read.text_mean, FULL.text_mean, atol=1e-6)


@pytest.mark.parametrize("value", [None, {"version": 1}, {}])
def test_nothing_and_what_another_version_wrote_are_none(value: dict[str, Any] | None) -> None:
    assert Calibration.from_json(value) is None


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.95, "same"), (0.9, "same"), (0.89, "similar"), (0.82, "related"), (0.79, None), (-1.0, None)],
)
def test_a_photos_score_has_a_level(score: float, level: Match | None) -> None:
    assert FULL.match(score, "photo") == level


def test_the_best_hit_has_a_curve_of_its_own() -> None:
    assert FULL.probability(0.9, "photo") == pytest.approx(0.5)
    assert FULL.probability(0.9, "photo", is_best=True) == pytest.approx(1 / (1 + np.exp(-1)))
    assert FULL.probability(0.9, "text", is_best=True) is None


def test_a_text_is_never_the_same() -> None:
    assert FULL.match(0.99, "text") == "similar"
    assert FULL.probability(0.5, "text") is None


def test_the_same_picture_is_the_same_whatever_the_curve_says() -> None:
    unsure = calibration(kind(None, LogisticMap(10.0, -12.0)), None)
    assert unsure.match(0.99, "photo") == "similar"
    assert unsure.match(SAME_PICTURE, "photo") == "same"
    probability = unsure.probability(SAME_PICTURE, "photo")
    assert probability is not None
    assert probability >= 0.99


def test_nothing_is_close_if_no_hit_is() -> None:
    assert FULL.nothing_close([0.5, 0.79], "photo")
    assert FULL.nothing_close([], "photo")
    assert not FULL.nothing_close([0.5, 0.8], "photo")
    assert not calibration(None, None).nothing_close([0.1], "photo")  # not known


def test_the_least_score_of_a_level() -> None:
    assert [FULL.least_score(level, "photo") for level in ("same", "similar", "related")] == [0.9, 0.85, 0.8]
    assert [FULL.least_score(level, "text") for level in ("same", "similar", "related")] == [None, 0.85, 0.8]
    assert calibration(kind(None, None), None).least_score("same", "photo") == SAME_PICTURE
    assert calibration(None, None).least_score("related", "text") is None
