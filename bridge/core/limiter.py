"""Keeps sums within int16 without clipping and without pumping; what fits is not touched."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS

CEILING = 32_767.0
_PARTS = 16  # a frame is searched for its first overload in steps of 1.25 ms


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """How fast the gain comes back."""

    release_ms: int = 250
    """Time in which all but 1/e of the reduction is gone."""

    def __post_init__(self) -> None:
        if self.release_ms < PTIME_MS:
            raise ValueError(f"a release of less than {PTIME_MS} ms would distort")


class Limiter:
    """One gain for each row, moving in straight lines.

    It comes down over the part of the tick before the first sample that needs it, and goes up slowly. Only
    where a tick begins with an overload there is nothing to look ahead to: the gain then comes down within
    1.25 ms, and the peaks in that stretch are cut.
    """

    def __init__(self, settings: LimiterSettings, samples: int) -> None:
        """For rows of `samples` samples, 20 ms of them."""
        self._release = np.float32(1 - math.exp(-PTIME_MS / settings.release_ms))
        self._time = np.arange(1, samples + 1, dtype=np.float32)
        self._part = samples // _PARTS

    def limit(self, x: NDArray[np.float32], gain: NDArray[np.float32]) -> None:
        """Bring the rows of `x` [n, S] into the range of int16, in place; `gain` [n] is moved on by a tick.

        Rows within range whose gain is 1 stay as they are, bit for bit.
        """
        # -32768 is within range: a lone talker at full scale must come out as he went in.
        peak = np.maximum(x.max(axis=1), -1 - x.min(axis=1))
        busy = np.flatnonzero((peak > CEILING) | (gain < 1))
        if not busy.size:
            return
        goal = np.float32(CEILING) / np.maximum(peak[busy], np.float32(CEILING))
        before = gain[busy]
        down = goal < before
        if down.any():
            self._come_down(x, busy[down], before[down], goal[down])
        up = ~down
        if up.any():
            start, limit = before[up], goal[up]
            end = np.minimum(limit, start + (1 - start) * self._release)
            end = np.where((end > 0.999) & (limit == 1), np.float32(1), end)
            rows = busy[up]
            envelope = (end - start)[:, None] * (self._time / self._time[-1])
            envelope += start[:, None]
            x[rows] *= envelope
            goal[up] = end
        gain[busy] = goal

    def _come_down(
        self,
        x: NDArray[np.float32],
        rows: NDArray[np.intp],
        before: NDArray[np.float32],
        goal: NDArray[np.float32],
    ) -> None:
        loud = x[rows]
        peaks = np.abs(loud).reshape(len(rows), _PARTS, self._part).max(axis=2)
        first = np.argmax(peaks * before[:, None] > CEILING, axis=1)
        slope = 1 - self._time / (np.maximum(first, 1) * self._part)[:, None]
        envelope = np.maximum(slope, 0).astype(np.float32)
        envelope *= (before - goal)[:, None]
        envelope += goal[:, None]
        loud *= envelope
        x[rows] = np.clip(loud, -32_768, CEILING)
