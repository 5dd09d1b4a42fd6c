"""Percentiles of a run, by the same rule everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of `ordered` (ascending) such that `share` (0…1) of all are not above it."""
    if not ordered:
        return None
    # Rounded first: 0.95 of 20 must be the 19th, whatever the product's last bit says.
    return ordered[max(1, math.ceil(round(share * len(ordered), 9))) - 1]
