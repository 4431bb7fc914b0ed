"""What a filled collection must come to before it may serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VerifyLimits:
    """Limits of the checks; see ``verify``.

    Attributes:
        sample: points that are drawn for the checks by search.
        min_points_ratio: points to the pictures that the feed names and that did not fail; below 1 as a product may
            name a picture twice.
        min_size_ratio: points to those of the collection that serves now.
        max_failed_ratio: failures to pictures.
        min_self_match: share of sampled pictures that find themselves first.
        min_recall: recall@10 of the approximate against the exact search.
        max_golden_loss: how much lower nDCG@10 of the golden queries may be than in the old index.
    """

    sample: int = 200
    min_points_ratio: float = 0.9
    min_size_ratio: float = 0.5
    max_failed_ratio: float = 0.02
    min_self_match: float = 0.99
    min_recall: float = 0.95
    max_golden_loss: float = 0.02
