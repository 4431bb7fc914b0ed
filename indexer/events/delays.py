"""How long events take to become searchable, in numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

KEPT_DELAYS = 1000
"""Of an alias; what is reported is about the latest of them."""


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least ``percent`` of all values do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
