"""What is on the line besides the caller's words: noise, and the bot's own echo. Pure."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray

from bridge.harness.clips import Clips
from bridge.harness.scenario import Background, Echo, Noise
from bridge.harness.sound import Samples
from bridge.harness.synthesis import noise


class Surroundings:
    """One call's. `mix` once every 20 ms."""

    def __init__(self, background: Background, clips: Clips, seed: str) -> None:
        frame_samples = clips.rate_hz // 50
        self._noise = _Circle(background.noise, clips, seed) if background.noise else None
        self._echo = _Room(background.echo, clips.rate_hz, frame_samples) if background.echo else None

    @property
    def silent(self) -> bool:
        """Whether there is nothing but the caller's words."""
        return self._noise is None and self._echo is None

    def mix(self, words: Samples, heard: Samples) -> Samples:
        """What goes out: int16 [frame_samples], of the caller's words and what sounds in the ear."""
        if self.silent:
            return words
        mixed = words.astype(np.float32)
        if self._noise is not None:
            mixed += self._noise.next_frame()
        if self._echo is not None:
            mixed += self._echo.next_frame(heard)
        return np.rint(mixed).clip(-32_768, 32_767).astype(np.int16)


class _Circle:
    """Noise that goes on and on, begun at a place of this call's own."""

    def __init__(self, settings: Noise, clips: Clips, seed: str) -> None:
        self._sound = noise(settings.colour) if clips.noise is None else clips.noise
        self._gain = np.float32(clips.speech_rms * 10 ** (-settings.snr_db / 20))
        self._steps = np.arange(clips.rate_hz // 50)
        self._at = Random(seed).randrange(len(self._sound))

    def next_frame(self) -> NDArray[np.float32]:
        frame = self._sound.take(self._at + self._steps, mode="wrap") * self._gain
        self._at = (self._at + len(self._steps)) % len(self._sound)
        return frame


class _Room:
    """What was heard comes back later and softer."""

    def __init__(self, settings: Echo, rate_hz: int, frame_samples: int) -> None:
        self._gain = np.float32(10 ** (settings.level_db / 20))
        self._late = np.zeros(settings.delay_ms * rate_hz // 1000, np.int16)
        self._frame_samples = frame_samples

    def next_frame(self, heard: Samples) -> NDArray[np.float32]:
        line = np.concatenate((self._late, heard))
        self._late = line[self._frame_samples :]
        return line[: self._frame_samples] * self._gain
