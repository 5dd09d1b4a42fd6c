"""The sound of a forked stream: frames as they came, by arrival and by the time they say."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS, AudioFormat
from bridge.harness.sound import Samples, decode
from tests.kit.ears import Sound


@dataclass(frozen=True, slots=True)
class MediaFrame:
    """One `media` message."""

    track: str
    at_ms: int
    chunk: int
    payload: bytes
    came_s: float
    """On the loop's clock."""


@dataclass(frozen=True)
class Line:
    """A track's sound on the time axis of its timestamps; what never came is silence here."""

    from_ms: int
    samples: Samples
    rate_hz: int
    missing: tuple[tuple[int, int], ...]
    """Stretches that never came, from and to (exclusive), in ms."""

    def at(self, unix_ms: float) -> int:
        """The sample that sounds then."""
        return round((unix_ms - self.from_ms) * self.rate_hz / 1000)

    def between(self, from_ms: float, to_ms: float) -> Sound:
        """A piece of it."""
        start, end = self.at(from_ms), self.at(to_ms)
        assert 0 <= start <= end <= len(self.samples), "it is not all there"
        return Sound.of(self.samples[start:end], self.rate_hz)


def line_of(frames: list[MediaFrame], audio_format: AudioFormat) -> Line:
    """Puts frames of one track, in any order and some of them twice, where they belong."""
    placed = {frame.at_ms: frame for frame in frames}
    assert placed, "nothing came"
    first, last = min(placed), max(placed)
    size = audio_format.frame_samples
    samples = np.zeros((last - first) * audio_format.rate_hz // 1000 + size, np.int16)
    for at_ms, frame in placed.items():
        start = (at_ms - first) * audio_format.rate_hz // 1000
        samples[start : start + size] = decode(frame.payload, audio_format)
    moments = sorted(placed)
    missing = tuple(
        (before + PTIME_MS, after)
        for before, after in itertools.pairwise(moments)
        if after > before + PTIME_MS
    )
    return Line(first, samples, audio_format.rate_hz, missing)


class TrackEar:
    """What came on one track so far, as `tests.kit.ears` listens to it."""

    def __init__(self, frames: list[MediaFrame], audio_format: AudioFormat) -> None:
        self._frames = frames
        self._decoded: list[Samples] = []
        self.format = audio_format

    @property
    def heard(self) -> NDArray[np.int16]:
        for frame in self._frames[len(self._decoded) :]:
            self._decoded.append(decode(frame.payload, self.format))
        return np.concatenate(self._decoded) if self._decoded else np.zeros(0, np.int16)
