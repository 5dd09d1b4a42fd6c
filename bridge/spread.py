"""How durations are spread, in bounded memory: their number, extremes and percentiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

_EXACT_MS = 128
"""Below this every millisecond has its own cell; above, each doubling has half as many."""
_CEILING_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Summary:
    """Durations in ms; None where there were none."""

    n: int = 0
    min: int | None = None
    p50: int | None = None
    p95: int | None = None
    max: int | None = None


class Spread:
    """Counts durations in cells no wider than 1/64 of what is in them: at most 1,100 cells for ever.

    Extremes are exact, percentiles within 1 %; nothing is left to chance, so that the same call gives the
    same figures.
    """

    __slots__ = ("_cells", "_max", "_min", "n")

    def __init__(self) -> None:
        self._cells: dict[int, int] = {}
        """Lowest value of a cell → how many are in it."""
        self._min = self._max = 0
        self.n = 0

    def add(self, duration_ms: int) -> None:
        """Count one duration; less than nothing counts as nothing."""
        value = max(0, duration_ms)
        cell = _cell(min(value, _CEILING_MS))
        self._cells[cell] = self._cells.get(cell, 0) + 1
        self._min = min(self._min, value) if self.n else value
        self._max = max(self._max, value)
        self.n += 1

    def percentile(self, share: float) -> int | None:
        """The smallest duration such that `share` (0…1) of all are not above it; None without any."""
        if not self.n:
            return None
        rank, so_far = rank_of(share, self.n), 0
        for cell in sorted(self._cells):
            so_far += self._cells[cell]
            if so_far >= rank:
                middle = cell + (_width(cell) - 1) // 2
                return min(max(middle, self._min), self._max)
        return self._max

    def summary(self) -> Summary:
        """All that is said of them."""
        if not self.n:
            return Summary()
        return Summary(self.n, self._min, self.percentile(0.5), self.percentile(0.95), self._max)


def rank_of(share: float, n: int) -> int:
    """The first of `n` in ascending order, counted from 1, such that `share` of all are not above it."""
    # Rounded first: 0.95 of 20 must be the 19th, whatever the product's last bit says.
    return max(1, math.ceil(round(share * n, 9)))


def _width(value: int) -> int:
    return 1 << max(0, value.bit_length() - _EXACT_MS.bit_length() + 1)


def _cell(value: int) -> int:
    return value - value % _width(value)
