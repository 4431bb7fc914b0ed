"""Curves from scores to probabilities, and how far these can be believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.calibration.logistic import LogisticMap, Scores, fit_logistic
from indexer.calibration.reliability import Reliability, reliability


def drawn(count: int, seed: int) -> tuple[Scores, np.ndarray[tuple[int], np.dtype[np.bool_]], Scores]:
    """Scores of which the probability is known: 1 / (1 + exp(-(20 score - 14)))."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.3, 1.0, count)
    right = rng.random(count) < LogisticMap(20.0, -14.0).probabilities(scores)
    return scores, right, np.ones(count)


def test_a_known_curve_is_found_again() -> None:
    fitted = fit_logistic(*drawn(20_000, 1))
    assert fitted is not None
    assert fitted.slope == pytest.approx(20.0, rel=0.06)
    assert fitted.score_at(0.5) == pytest.approx(0.7, abs=0.006)
    assert fitted.probability(fitted.score_at(0.8)) == pytest.approx(0.8)


def test_weights_count_as_repetitions() -> None:
    scores, right, ones = drawn(300, 2)
    doubled = fit_logistic(scores, right, np.where(right, 1.0, 3.0))
    repeated = fit_logistic(
        np.concatenate([scores, scores[~right], scores[~right]]),
        np.concatenate([right, right[~right], right[~right]]),
        np.ones(len(scores) + 2 * int((~right).sum())),
    )
    assert doubled is not None
    assert repeated is not None
    assert (doubled.slope, doubled.intercept) == pytest.approx((repeated.slope, repeated.intercept), rel=1e-4)
    plain = fit_logistic(scores, right, ones)
    assert plain is not None
    assert plain.score_at(0.5) < doubled.score_at(0.5)


def test_classes_that_do_not_overlap_give_no_certainty() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.8, 0.9, 0.95])
    fitted = fit_logistic(scores, scores > 0.5, np.ones(6))
    assert fitted is not None
    assert 0.3 < fitted.score_at(0.5) < 0.8
    assert fitted.probability(0.95) < 0.99  # three examples do not bear more


@pytest.mark.parametrize(
    ("scores", "right"),
    [([0.1, 0.5, 0.9], [True] * 3), ([0.1, 0.5, 0.9], [False] * 3), ([0.9, 0.8, 0.2, 0.1], [False, False, True, True])],
)
def test_scores_that_tell_nothing_give_no_curve(scores: list[float], right: list[bool]) -> None:
    assert fit_logistic(np.array(scores), np.array(right), np.ones(len(scores))) is None


@given(st.floats(-1, 1), st.floats(0.1, 500), st.floats(-500, 500))
def test_probabilities_are_probabilities_and_rise(score: float, slope: float, intercept: float) -> None:
    curve = LogisticMap(slope, intercept)
    low, high = curve.probability(score), curve.probability(score + 0.1)
    assert 0 <= low <= high <= 1
    assert curve.probabilities(np.array([score]))[0] == pytest.approx(low)


def test_the_right_curve_is_reliable_and_a_wrong_one_is_not() -> None:
    scores, right, weights = drawn(20_000, 3)
    good = reliability(LogisticMap(20.0, -14.0).probabilities(scores), right, weights)
    bold = reliability(LogisticMap(60.0, -42.0).probabilities(scores), right, weights)
    assert good.error < 0.01
    assert bold.error > 0.05
    assert bold.brier > good.brier
    assert sum(item.weight for item in good.bins) == pytest.approx(1)
    assert [item.promised for item in good.bins] == sorted(item.promised for item in good.bins)
    assert Reliability.from_json(good.to_json()) == good


def test_the_error_is_the_mean_distance_of_promised_and_true() -> None:
    promised = np.array([0.1] * 10 + [0.9] * 10)
    right = np.array([True] * 3 + [False] * 7 + [True] * 10)
    measured = reliability(promised, right, np.ones(20), bins=2)
    assert measured.error == pytest.approx((0.2 + 0.1) / 2)
    assert measured.brier == pytest.approx((3 * 0.81 + 7 * 0.01 + 10 * 0.01) / 20)
