"""From a cosine to a probability, by a logistic curve of two numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""Cosines, weights or probabilities, float64 (N,)."""
Labels = NDArray[np.bool_]
"""What is true of each, bool (N,)."""

_STEPS = 100
_CLOSE_ENOUGH = 1e-9
_RIDGE = 1e-6
"""Keeps the curve finite where the two classes do not overlap at all."""


@dataclass(frozen=True, slots=True)
class LogisticMap:
    """probability = 1 / (1 + exp(-(slope * cosine + intercept))), rising with the cosine.

    With a SigLIP model's learned scale and bias it is the probability that the model itself gives to a text (SigLIP,
    eq. 1); fitted to labelled scores it is Platt scaling (Platt 1999).
    """

    slope: float
    intercept: float

    def probability(self, score: float) -> float:
        """Of one cosine."""
        exponent = -(self.slope * score + self.intercept)
        return 1.0 / (1.0 + math.exp(exponent)) if exponent < 700 else 0.0  # exp overflows beyond

    def probabilities(self, scores: Scores) -> Scores:
        """Of many, float64 (N,)."""
        exponents = np.clip(-(self.slope * scores + self.intercept), None, 700)
        found: Scores = 1.0 / (1.0 + np.exp(exponents))
        return found

    def score_at(self, probability: float) -> float:
        """The cosine from which on the probability is at least this."""
        return (math.log(probability / (1.0 - probability)) - self.intercept) / self.slope


def fit_logistic(scores: Scores, labels: Labels, weights: Scores) -> LogisticMap | None:
    """The curve under which the labels are likeliest.

    Targets are drawn in a little, by as much as the number of examples says (Platt 1999, section 2.2), so that classes
    that do not overlap give no certainty that a few examples cannot bear. Newton's method on the weighted likelihood.

    Args:
        scores: cosines.
        labels: whether what is asked is true of each.
        weights: how much each counts; positive.

    Returns:
        None if there is no curve that rises: examples of one kind only, or scores that tell nothing.
    """
    positives, negatives = float(weights[labels].sum()), float(weights[~labels].sum())
    if positives <= 0 or negatives <= 0:
        return None
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # centred and scaled, so that the two unknowns are of one size
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    given = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)
    unknowns = np.array([1.0, math.log((positives + 1) / (negatives + 1))])
    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(-np.clip(given @ unknowns, -500, 500)))
        slope = given.T @ (weights * (expected - targets)) + _RIDGE * unknowns
        curvature = (given * (weights * expected * (1 - expected))[:, None]).T @ given + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        # halved while it overshoots, as Newton's method may far from the solution
        longest = float(np.abs(step).max())
        unknowns = unknowns - step * min(1.0, 5.0 / longest if longest else 1.0)
        if longest < _CLOSE_ENOUGH:
            break
    fitted = LogisticMap(float(unknowns[0]) / spread, float(unknowns[1]) - float(unknowns[0]) * centre / spread)
    return fitted if fitted.slope > 0 else None
