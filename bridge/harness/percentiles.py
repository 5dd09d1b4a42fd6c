"""Percentiles of a run, by the same rule everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.spread import rank_of


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of `ordered` (ascending) such that `share` (0…1) of all are not above it."""
    if not ordered:
        return None
    return ordered[rank_of(share, len(ordered)) - 1]
