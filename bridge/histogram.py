"""Counting durations into buckets, cheap enough for every tick."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

TICK_BOUNDS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
"""Bucket bounds around the 20 ms of a tick."""


class Histogram:
    """Values counted by the first bound that is not below them; beyond the last bound is a bucket too."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float] = TICK_BOUNDS_S) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0
        """Sum of all values."""

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def cumulative(self) -> list[tuple[str, int]]:
        """(upper bound, values up to it), the last bound being `+Inf`, as Prometheus wants it."""
        rows, so_far = [], 0
        for bound, count in zip((*map(repr, self._bounds), "+Inf"), self._counts, strict=True):
            so_far += count
            rows.append((bound, so_far))
        return rows


class TickTimes:
    """How late ticks begin and how long they take; `observe` is the pacer's `observe`."""

    __slots__ = ("duration", "lateness")

    def __init__(self) -> None:
        self.lateness = Histogram()
        self.duration = Histogram()

    def observe(self, lateness_s: float, duration_s: float) -> None:
        """Count one tick. A tick before its time counts as on time."""
        self.lateness.observe(max(0.0, lateness_s))
        self.duration.observe(duration_s)
