"""What is kept of a fit, and what it says of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from indexer.calibration.logistic import LogisticMap
from indexer.calibration.reliability import Reliability
from indexer.points import Vectors

ANNOTATION = "calibration"
"""Name under which it is kept with its collection."""
VERSION = 2
"""Raised when what is kept changes its meaning; one of another version is not read."""

QueryKind = Literal["photo", "text"]
Match = Literal["same", "similar", "related"]
LEVELS: tuple[Match, ...] = ("same", "similar", "related")
"""From the nearest to the farthest."""

SAME_PICTURE = 0.995
"""Cosine from which on two pictures count as one: other number formats and a new compression change no more."""
_SAME_PICTURE_PROBABILITY = 0.99


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines from which on a hit is of a level; None for a level that no cosine stands for."""

    same: float | None
    similar: float | None
    related: float

    def level(self, score: float) -> Match | None:
        """Of a cosine; None below all levels."""
        for level in LEVELS:
            least: float | None = getattr(self, level)
            if least is not None and score >= least:
                return level
        return None


@dataclass(frozen=True, slots=True)
class LevelShare:
    """What hits of one level were, in the sample.

    Attributes:
        level: None for hits below all levels.
        hits: how many.
        same_product: share of them that show what was asked for.
        same_category: share of them that are of its category; None where products have none.
    """

    level: Match | None
    hits: int
    same_product: float
    same_category: float | None


@dataclass(frozen=True, slots=True)
class KindCalibration:
    """What scores mean for one kind of query.

    Attributes:
        curve: probability by cosine; None for texts of a model without a learned bias.
        best_curve: the same of a query's best hit, which is likelier right than its cosine alone says; None if there is
            no difference.
        thresholds: of the levels.
        source: what queries it was fitted to, in words.
        queries: how many.
        reliability: of the probabilities on hits that the curve was not fitted to.
        best_reliability: the same, of the best hit of each query alone.
        shares: what the levels came to.
        missed: share of the queries whose product is there and that are told that nothing is close.
        strangers: what queries without a product there were, in words.
        strangers_told: share of these that are told so.
    """

    curve: LogisticMap | None
    best_curve: LogisticMap | None
    thresholds: Thresholds
    source: str
    queries: int
    reliability: Reliability | None
    best_reliability: Reliability | None
    shares: tuple[LevelShare, ...]
    missed: float
    strangers: str
    strangers_told: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what ``to_json`` wrote."""
        read = dict(value)
        for name in ("curve", "best_curve"):
            read[name] = LogisticMap(**value[name]) if value[name] else None
        read["thresholds"] = Thresholds(**value["thresholds"])
        read["shares"] = tuple(LevelShare(**item) for item in value["shares"])
        for name in ("reliability", "best_reliability"):
            read[name] = Reliability.from_json(value[name]) if value[name] else None
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What scores of a collection mean; kept with it as an annotation.

    Attributes:
        space_id: of its embeddings.
        fitted_at: ISO 8601, UTC.
        points: pictures that the collection had.
        products: looked at for the means.
        photo, text: by kind of query; None where the catalog gives too little to fit it.
        image_mean: mean embedding of the catalog's main pictures, float32 (D,), not normalised.
        text_mean: mean embedding of its titles; what tells the two apart is the gap between the modalities.
    """

    space_id: str
    fitted_at: str
    points: int
    products: int
    photo: KindCalibration | None
    text: KindCalibration | None
    image_mean: Vectors
    text_mean: Vectors

    def probability(self, score: float, kind: QueryKind, *, is_best: bool = False) -> float | None:
        """That a hit with this cosine shows what was asked for; None if that is not known.

        For a photo: that it is the same product. For a text: the model's own, sigmoid(scale * cosine + bias).

        Args:
            score: cosine.
            kind: of the query.
            is_best: whether no product of the whole answer is nearer.
        """
        known = self._of(kind)
        if known is None or known.curve is None:
            return None
        curve = known.best_curve if is_best and known.best_curve is not None else known.curve
        probability = curve.probability(score)
        if kind == "photo" and score >= SAME_PICTURE:
            return max(probability, _SAME_PICTURE_PROBABILITY)
        return probability

    def match(self, score: float, kind: QueryKind) -> Match | None:
        """The level of a hit; None if it is below all, or if that is not known."""
        known = self._of(kind)
        if known is None:
            return None
        if kind == "photo" and score >= SAME_PICTURE:
            return "same"
        return known.thresholds.level(score)

    def nothing_close(self, scores: Sequence[float], kind: QueryKind) -> bool:
        """Whether no hit is nearer than products get by chance; False if that is not known.

        Args:
            scores: cosines of the hits, in any order; without any, nothing is close.
            kind: of the query.
        """
        known = self._of(kind)
        return known is not None and all(score < known.thresholds.related for score in scores)

    def least_score(self, level: Match, kind: QueryKind) -> float | None:
        """The cosine from which on hits are of this level or a nearer one; None if that is not known."""
        known = self._of(kind)
        if known is None:
            return None
        wanted = LEVELS[: LEVELS.index(level) + 1]
        found = [least for name in wanted if (least := getattr(known.thresholds, name)) is not None]
        return min([*found, SAME_PICTURE] if kind == "photo" else found, default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {
            "version": VERSION,
            "space_id": self.space_id,
            "fitted_at": self.fitted_at,
            "points": self.points,
            "products": self.products,
            "photo": self.photo.to_json() if self.photo else None,
            "text": self.text.to_json() if self.text else None,
            "image_mean": [round(float(value), 7) for value in self.image_mean],
            "text_mean": [round(float(value), 7) for value in self.text_mean],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """Reads what ``to_json`` wrote; None for nothing, or for what another version of this program wrote."""
        if value is None or value.get("version") != VERSION:
            return None
        return cls(
            space_id=value["space_id"],
            fitted_at=value["fitted_at"],
            points=value["points"],
            products=value["products"],
            photo=KindCalibration.from_json(value["photo"]) if value["photo"] else None,
            text=KindCalibration.from_json(value["text"]) if value["text"] else None,
            image_mean=np.asarray(value["image_mean"], dtype=np.float32),
            text_mean=np.asarray(value["text_mean"], dtype=np.float32),
        )

    def _of(self, kind: QueryKind) -> KindCalibration | None:
        return self.photo if kind == "photo" else self.text
