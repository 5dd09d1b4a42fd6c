"""Taking a little time out of sound, or putting some in, so that nobody notices."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SHORTEST_MS = 2.5
LONGEST_MS = 15.0
"""Lags that are searched: pitch periods of voices, or a few of them."""
ALIKE_MS = 10.0
"""Length of the stretches that are compared."""


_AS_GOOD = 0.01
"""Likeness that may be given away for a lag nearer to the wish."""


def best_lag(
    sound: NDArray[np.float32], at: int, length: int, least: int, most: int, wish: int
) -> tuple[int, float]:
    """The lag within `least`…`most` at which `sound` looks most like what it is at `at`, and how much.

    Of lags that are as good, the one nearest to `wish`. Compared are `length` samples: `at + least` must not
    lie before the sound's begin, nor `at + most + length` behind its end. The likeness is the normalised
    correlation, at most 1.
    """
    template = sound[at : at + length]
    region = sound[at + least : at + most + length]
    products = np.correlate(region, template, "valid")
    squares = np.concatenate(([0.0], np.cumsum(np.square(region, dtype=np.float64))))
    energy = squares[length:] - squares[:-length]
    own = float(np.dot(template, template))
    likeness = products / np.sqrt(np.maximum(energy, 1.0) * max(own, 1.0))
    good = np.flatnonzero(likeness >= likeness.max() - _AS_GOOD)
    # Each peak has some good neighbours: its top is the place.
    left, right = np.maximum(good - 1, 0), np.minimum(good + 1, len(likeness) - 1)
    good = good[(likeness[good] >= likeness[left]) & (likeness[good] >= likeness[right])]
    best = int(good[np.abs(good + least - wish).argmin()])
    return least + best, float(likeness[best])


def crossing(samples: int, at: int, fade: int) -> NDArray[np.float32]:
    """Weights [samples]: 0 up to `at`, rising to 1 over `fade` samples, 1 behind."""
    return np.clip((np.arange(samples) - at + 0.5) / fade, 0, 1).astype(np.float32)


class Splicer:
    """Crosses from one place in a sound to another within one frame of `rate_hz // 50` samples."""

    def __init__(self, rate_hz: int) -> None:
        self.frame = rate_hz // 50
        self.shortest = math.ceil(rate_hz * SHORTEST_MS / 1000)
        self.longest = int(rate_hz * LONGEST_MS / 1000)
        self._at = self.frame // 8
        self._alike = int(rate_hz * ALIKE_MS / 1000)
        self._weight = crossing(self.frame, self._at, self._alike)

    def cross(self, here: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.float32]:
        """A frame that begins as `here` and ends as `there`, each [frame]."""
        return here + (there - here) * self._weight

    def lag_onward(self, sound: NDArray[np.float32], most: int) -> tuple[int, float]:
        """How far to jump onward, as near to `most` as is good; `sound` [frame + most] begins with it."""
        return best_lag(sound, self._at, self._alike, self.shortest, most, most)

    def lag_back(self, sound: NDArray[np.float32], wish: int) -> tuple[int, float]:
        """How far to go back, near to `wish`; `sound` [longest + frame] ends with the frame."""
        at = self.longest + self._at
        lag, likeness = best_lag(sound, at, self._alike, -self.longest, -self.shortest, -wish)
        return -lag, likeness
