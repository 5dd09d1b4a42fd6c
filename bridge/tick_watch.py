"""Keeps an eye on the ticks: are they late so often that no more media should be taken?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW_TICKS = 3000
"""A minute."""
JUDGED_TICKS = 100
"""Two seconds."""
LATE_S = 0.010
"""Half a tick: with this much a far side's buffer begins to feel it."""
TOO_MANY = 0.25
"""Share of late ticks at which new media is refused."""
FEW_ENOUGH = 0.2
"""Share of that share at which it is taken again."""


class TickWatch:
    """The last minute of lateness and duration, and a verdict with hysteresis."""

    def __init__(self, too_many: float = TOO_MANY) -> None:
        """`too_many` as a share, 0…1."""
        self._too_many = too_many
        self._lateness = np.zeros(WINDOW_TICKS)
        self._duration = np.zeros(WINDOW_TICKS)
        self._seen = 0
        self._late_now = 0
        self.overloaded = False

    def observe(self, lateness_s: float, duration_s: float) -> bool:
        """Count one tick; True when the verdict changed."""
        self._lateness[self._seen % WINDOW_TICKS] = lateness_s
        self._duration[self._seen % WINDOW_TICKS] = duration_s
        self._seen += 1
        self._late_now += lateness_s > LATE_S
        if self._seen % JUDGED_TICKS:
            return False
        share, self._late_now = self._late_now / JUDGED_TICKS, 0
        limit = self._too_many * (FEW_ENOUGH if self.overloaded else 1.0)
        verdict = share > limit
        changed, self.overloaded = verdict != self.overloaded, verdict
        return changed

    def lateness_ms(self, *percents: float) -> list[float]:
        """Percentiles over the last minute."""
        return self._percentiles(self._lateness, percents)

    def duration_ms(self, *percents: float) -> list[float]:
        """Percentiles over the last minute."""
        return self._percentiles(self._duration, percents)

    def _percentiles(self, window: NDArray[np.float64], percents: tuple[float, ...]) -> list[float]:
        seen = window[: min(self._seen, WINDOW_TICKS)]
        if not len(seen):
            return [0.0] * len(percents)
        return [float(value) * 1000 for value in np.percentile(seen, percents)]
