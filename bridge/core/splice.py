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
_LIKE_ENOUGH = 0.6
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
    """Jumps from one place in a sound to another within one frame of `rate_hz // 50` samples.

    `sound` is always an array in which the frame that is due begins at `longest`, with what was played before
    it in front of that, and behind it what is held.
    """

    def __init__(self, rate_hz: int) -> None:
        self.frame = rate_hz // 50
        self.longest = int(rate_hz * LONGEST_MS / 1000)
        self.span = self.frame + 2 * self.longest
        """Samples of `sound` that are looked at, at most."""
        self._shortest = math.ceil(rate_hz * SHORTEST_MS / 1000)
        self._at = self.frame // 8
        self._alike = int(rate_hz * ALIKE_MS / 1000)
        self._weight = crossing(self.frame, self._at, self._alike)

    def jump(self, sound: NDArray[np.float32], wish: int, quiet: bool, urgent: bool) -> int:
        """Samples to leave out (negative: to repeat) within the frame, by a `wish` for so many; 0 for none.

        `quiet`: any place will do. `urgent`: so will the best of the bad ones.
        """
        held = len(sound) - self.longest - self.frame
        if quiet:
            return max(min(wish, held, self.longest), -self.longest)
        at = self.longest + self._at
        if wish < 0:  # too little is worse than too much
            return best_lag(sound, at, self._alike, -self.longest, -self._shortest, wish)[0]
        most = min(wish, held, self.longest)
        if most <= self._shortest:
            return 0
        lag, likeness = best_lag(sound, at, self._alike, self._shortest, most, most)
        return lag if urgent or likeness >= _LIKE_ENOUGH else 0

    def cut(self, sound: NDArray[np.float32], by: int) -> NDArray[np.float32]:
        """The frame, after which the sound goes on `by` samples later than it would have."""
        begin = self.longest
        return self.cross(sound[begin : begin + self.frame], sound[begin + by : begin + by + self.frame])

    def cross(self, here: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.float32]:
        """A frame that begins as `here` and ends as `there`, each [frame]."""
        return here + (there - here) * self._weight
