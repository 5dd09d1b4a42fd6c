"""Who sounds, by the level of every 20 ms: the lines that docs/turns.md draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.harness.sound import Samples
from mediacodecs.levels import OVERLOAD_RMS, dbov

TALKING_DBOV = -45.0
"""Louder than this begins a sound."""
QUIET_DBOV = -50.0
"""What is louder than this continues it."""
PAUSE_MS = 200
"""A silence shorter than this is within one sound."""


@dataclass(frozen=True, slots=True)
class SpeechLines:
    """Where the lines are drawn, as those of the mixer's meter. Raises ValueError for what cannot work."""

    talking_dbov: float = TALKING_DBOV
    quiet_dbov: float = QUIET_DBOV
    pause_ms: int = PAUSE_MS

    def __post_init__(self) -> None:
        if not -127 <= self.quiet_dbov <= self.talking_dbov <= 0 or self.pause_ms < 0:
            raise ValueError("it takes -127 ≤ quiet ≤ talking ≤ 0 dBov and a pause of at least 0 ms")


class SpeechEdges:
    """One side, 20 ms at a time. What is quiet has ceased at once; within a pause it goes on more easily."""

    __slots__ = ("_frame", "_off", "_on", "_pause", "_quiet", "on", "power")

    def __init__(self, lines: SpeechLines) -> None:
        self._on = power_of(lines.talking_dbov)
        self._off = power_of(lines.quiet_dbov)
        self._pause = lines.pause_ms // 20
        self._quiet = self._pause
        self._frame: Samples | None = None
        self.power = 0.0
        """Of the frame that was heard last: its mean square."""
        self.on = False
        """Whether the last 20 ms sounded."""

    @property
    def quiet_ms(self) -> int:
        """How long it has been silent; no more than the pause is counted."""
        return self._quiet * 20

    def hear(self, frame: Samples) -> bool | None:
        """`take` of int16 [n], 20 ms that nobody writes to: silence is often the same array again."""
        if frame is not self._frame:
            self._frame = frame
            self.power = loudness(frame)
        return self.take(self.power)

    def take(self, power: float) -> bool | None:
        """The mean square of the next 20 ms; True when a sound begins with them, False when one is over."""
        if power > (self._off if self._quiet < self._pause else self._on):
            self._quiet = 0
            sounds = True
        else:
            if self._quiet < self._pause:
                self._quiet += 1
            sounds = False
        if sounds == self.on:
            return None
        self.on = sounds
        return sounds


def power_of(level_dbov: float) -> float:
    """Mean square at int16 scale."""
    return float(OVERLOAD_RMS**2 * 10 ** (level_dbov / 10))


def mean_square(samples: Samples) -> float:
    """Of int16 [n], at int16 scale; 0 for no samples."""
    count = len(samples)
    if not count:
        return 0.0
    exact = samples.astype(np.float32)
    return float(exact.dot(exact)) / count


_measured: tuple[Samples, float] = (np.zeros(0, np.int16), 0.0)


def loudness(frame: Samples) -> float:
    """`mean_square` of a frame that nobody writes to. The last one is remembered: a call's voice and its
    witness ask for the same one, one after the other.
    """
    global _measured
    last, power = _measured
    if last is not frame:
        power = mean_square(frame)
        _measured = frame, power
    return power


def first_sound(samples: Samples, frame_samples: int, power: float) -> int | None:
    """Where in int16 [n] the first 20 ms louder than `power` begin; None when there are none."""
    whole = len(samples) // frame_samples
    if whole:
        frames = samples[: whole * frame_samples].astype(np.float32).reshape(whole, frame_samples)
        loud = np.flatnonzero(np.vecdot(frames, frames) > power * frame_samples)
        if len(loud):
            return int(loud[0]) * frame_samples
    return whole * frame_samples if mean_square(samples[whole * frame_samples :]) > power else None


def levels(powers: NDArray[np.float32]) -> list[int]:
    """Mean squares [n] in whole dBov, -127…0."""
    return [int(level) for level in np.rint(dbov(np.sqrt(powers)))]
