"""Making up sound where none came: the last pitch periods again, softer and softer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.splice import ALIKE_MS, LONGEST_MS, best_lag

CONCEAL_MS = 60
"""After so long there is silence."""
_STEADY_MS = 10
"""So long it is as loud as before."""
_SEARCHES = 16
"""Rows whose pitch is looked for in one go; when a whole network stalls, the others repeat a fixed length."""


class Concealer:
    """Repeats the end of what was heard. `history` samples of it are needed."""

    def __init__(self, rate_hz: int) -> None:
        self.history = int(rate_hz * (ALIKE_MS + LONGEST_MS) / 1000)
        self.longest = rate_hz * CONCEAL_MS // 1000
        self._alike = int(rate_hz * ALIKE_MS / 1000)
        self._most = int(rate_hz * LONGEST_MS / 1000)
        self._default = rate_hz // 100
        self._steady = rate_hz * _STEADY_MS // 1000

    def lags(self, history: NDArray[np.float32]) -> NDArray[np.int64]:
        """How many of the last samples of each row of `history` [n, history] to repeat: whole periods."""
        found = np.full(len(history), self._default, dtype=np.int64)
        at = self.history - self._alike
        for row, sound in enumerate(history[:_SEARCHES]):
            lag, _ = best_lag(sound, at, self._alike, -self._most, -self._alike, -self._most)
            found[row] = -lag
        return found

    def repeat(
        self, history: NDArray[np.float32], lag: NDArray[np.int64], since: NDArray[np.int64], count: int
    ) -> NDArray[np.float32]:
        """Samples [n, count] that go on with `history`, from `since` [n] samples after its end on.

        What lies before the end is of no meaning.
        """
        at = since[:, None] + np.arange(count)
        index = self.history - lag[:, None] + at % lag[:, None]
        fading = 1 - (at - self._steady) / (self.longest - self._steady)
        sound = np.take_along_axis(history, index, axis=1) * np.clip(fading, 0, 1)
        return sound.astype(np.float32)
