"""From the hits of probes to curves and thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from indexer.calibration.evidence import Evidence
from indexer.calibration.logistic import Labels, LogisticMap, Scores, fit_logistic
from indexer.calibration.model import LEVELS, KindCalibration, LevelShare, Match, Thresholds
from indexer.calibration.reliability import Reliability, reliability

_FOLDS = 5
_STRANGERS_TOLD = 0.9
"""Share of the strangers that are to be told that nothing is close ..."""
_MOST_MISSED = 0.02
"""... unless more than this share of the queries whose product is there would be told so too."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Of all hits, and of best hits."""

    all: LogisticMap | None
    best: LogisticMap | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What probes and strangers are, in words."""

    probes: str
    strangers: str


def fit_photos(evidence: Evidence, sources: Sources, strangers: Scores) -> KindCalibration | None:
    """What scores of photos mean: Platt scaling, checked on hits that it was not fitted to.

    Best hits have a curve of their own: two mugs that look alike are one and the other in turn the nearest, but the
    nearest of all is the right one more often than one of the same cosine that something else outdoes.

    ``same`` begins where the probability reaches one half, ``related`` at the cosine that nine of ten strangers do not
    reach with their best hit, ``similar`` half way between.

    Args:
        evidence: of probes whose product is in the catalog.
        sources: in words.
        strangers: best cosines of queries for what is not there; at least one.

    Returns:
        None if the scores tell nothing.
    """
    curve = fit_logistic(evidence.scores, evidence.right, evidence.weights)
    if curve is None:
        return None
    related = _related(evidence.best, strangers)
    even = curve.score_at(0.5)
    same = even if related < even < 1.0 else related if even <= related else None
    similar = (related + (1.0 if same is None else same)) / 2
    best = _best_hits(evidence)
    found = Curves(curve, fit_logistic(best.scores, best.right, best.weights))
    reliabilities = _reliability(evidence, _held_out(evidence)), _reliability(best, _held_out(best))
    return _calibration(evidence, found, reliabilities, Thresholds(same, similar, related), sources, strangers)


def fit_texts(evidence: Evidence, sources: Sources, strangers: Scores, own: LogisticMap | None) -> KindCalibration:
    """What scores of texts mean: the probability is the model's own, the levels are the catalog's.

    No text names one product alone, so none is ``same``. ``similar`` begins where it is likelier than not that a hit
    is what the text says, ``related`` as for photos.

    Args:
        evidence: of titles.
        sources: in words.
        strangers: as for photos.
        own: the curve of the model's learned scale and bias; None if it has no bias.
    """
    related = _related(evidence.best, strangers)
    fitted = fit_logistic(evidence.scores, evidence.right, evidence.weights)
    even = fitted.score_at(0.5) if fitted else 1.0
    similar = max(even, related) if even < 1.0 else None
    reliabilities: tuple[Reliability | None, Reliability | None] = None, None
    if own is not None:
        best = _best_hits(evidence)
        reliabilities = (
            _reliability(evidence, own.probabilities(evidence.scores)),
            _reliability(best, own.probabilities(best.scores)),
        )
    levels = Thresholds(None, similar, related)
    return _calibration(evidence, Curves(own), reliabilities, levels, sources, strangers)


def _related(best: Scores, strangers: Scores) -> float:
    least = float(np.quantile(best, _MOST_MISSED))
    return min(float(np.quantile(strangers, _STRANGERS_TOLD)), least) if len(strangers) else least


def _calibration(
    evidence: Evidence,
    curves: Curves,
    reliabilities: tuple[Reliability | None, Reliability | None],
    thresholds: Thresholds,
    sources: Sources,
    strangers: Scores,
) -> KindCalibration:
    return KindCalibration(
        curve=curves.all,
        best_curve=curves.best,
        thresholds=thresholds,
        source=sources.probes,
        queries=len(evidence.best),
        reliability=reliabilities[0],
        best_reliability=reliabilities[1],
        shares=_shares(evidence, thresholds),
        missed=float((evidence.best < thresholds.related).mean()),
        strangers=sources.strangers,
        strangers_told=float((strangers < thresholds.related).mean()) if len(strangers) else None,
    )


def _held_out(evidence: Evidence) -> Scores:
    """The probability of each hit by a curve that was fitted without its probe."""
    fold = evidence.probe % _FOLDS
    promised = np.zeros_like(evidence.scores)
    for number in range(_FOLDS):
        others, own = fold != number, fold == number
        curve = fit_logistic(evidence.scores[others], evidence.right[others], evidence.weights[others])
        base = float(np.average(evidence.right[others], weights=evidence.weights[others])) if others.any() else 0.0
        promised[own] = curve.probabilities(evidence.scores[own]) if curve else base
    return promised


def _reliability(evidence: Evidence, promised: Scores) -> Reliability:
    return reliability(promised, evidence.right, evidence.weights)


def _best_hits(evidence: Evidence) -> Evidence:
    """The best hit of each probe with its product in the catalog, and the best one as if that were not there."""
    chosen: list[int] = []
    for number in range(len(evidence.best)):
        (own,) = np.nonzero(evidence.probe == number)
        chosen.append(int(own[0]))
        chosen += [int(place) for place in own[~evidence.right[own]][:1]]
    picked = np.array(chosen)
    return replace(
        evidence,
        scores=evidence.scores[picked],
        right=evidence.right[picked],
        weights=np.ones(len(picked)),
        probe=evidence.probe[picked],
    )


def _shares(evidence: Evidence, thresholds: Thresholds) -> tuple[LevelShare, ...]:
    levels = np.array([thresholds.level(float(score)) or "" for score in evidence.scores])
    order: tuple[Match | None, ...] = (*LEVELS, None)
    return tuple(_share(evidence, level, levels == (level or "")) for level in order)


def _share(evidence: Evidence, level: Match | None, own: Labels) -> LevelShare:
    hits = int(own.sum())
    same = float(evidence.right[own].mean()) if hits else 0.0
    category = float(evidence.same_category[own].mean()) if hits and len(evidence.same_category) else None
    return LevelShare(level, hits, same, category)
