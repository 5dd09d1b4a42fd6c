"""What resamplers remember of every row of a table that grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.table import Table
from mediacodecs.resample import resampler


class FilterMemory(Table):
    """The last input samples of rows [capacity], for one pair of rates."""

    def __init__(self, rate_in: int, rate_out: int, capacity: int) -> None:
        super().__init__()
        self.resampler = resampler(rate_in, rate_out)
        self._history = self._column("_history", np.float32, width=(self.resampler.history_samples,))
        self.ringing = self._column("ringing", np.bool_)
        """Rows whose last frame still sounds on in the filter."""
        self.grow(capacity)

    def remember(self, row: int, samples: NDArray[np.float32]) -> None:
        """Let the past of `row` end with `samples` [≥ history], at the rate before the filter."""
        self._history[row] = samples[len(samples) - self.resampler.history_samples :]
        self.ringing[row] = True

    def run(
        self, rows: NDArray[np.intp], x: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Convert one frame `x` [n, S_in] of each of `rows` [n], all different."""
        history = self._history[rows]
        out = self.resampler.process(x, history, out)
        self._history[rows] = history
        return out
