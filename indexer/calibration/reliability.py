"""How far probabilities can be believed: what was promised against what came true."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from indexer.calibration.logistic import Labels, Scores

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Hits whose probabilities are alike.

    Attributes:
        weight: of the hits in it, as a share of all.
        promised: mean probability.
        true: share of the hits of which it was true.
    """

    weight: float
    promised: float
    true: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Promised against true on examples that the curve was not fitted to.

    Attributes:
        examples: how many.
        error: expected calibration error: the mean distance of promised and true over the bins, by their weight
            (Naeini et al. 2015); 0 is perfect.
        brier: mean squared distance of probability and truth (Brier 1950); 0 is perfect.
        bins: in rising order of probability, each with about as many examples.
    """

    examples: int
    error: float
    brier: float
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return asdict(self) | {"bins": [asdict(item) for item in self.bins]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Reads what ``to_json`` wrote."""
        bins = tuple(Bin(**item) for item in value["bins"])
        return cls(value["examples"], value["error"], value["brier"], bins)


def reliability(promised: Scores, labels: Labels, weights: Scores, *, bins: int = BINS) -> Reliability:
    """Compares probabilities with what was true.

    Args:
        promised: probabilities.
        labels: what was true.
        weights: how much each example counts.
        bins: how many at most; each has about the same number of examples, as most probabilities are near 0.
    """
    order = np.argsort(promised, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    made = tuple(_bin(part, promised, labels, weights) for part in parts)
    error = sum(item.weight * abs(item.promised - item.true) for item in made)
    squared = (promised - labels.astype(np.float64)) ** 2
    brier = float(np.average(squared, weights=weights)) if len(promised) else 0.0
    return Reliability(len(promised), float(error), brier, made)


def _bin(part: NDArray[np.intp], promised: Scores, labels: Labels, weights: Scores) -> Bin:
    own = weights[part]
    return Bin(
        weight=float(own.sum() / weights.sum()),
        promised=float(np.average(promised[part], weights=own)),
        true=float(np.average(labels[part].astype(np.float64), weights=own)),
    )
