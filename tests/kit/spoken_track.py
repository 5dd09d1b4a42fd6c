"""A browser's microphone into which a recorded voice speaks."""

from __future__ import annotations

import asyncio
import fractions
import time

import av
import numpy as np
from aiortc import MediaStreamTrack

from bridge.harness.sound import Samples, change_rate
from tests.kit.browser_peer import FRAME, RATE_HZ


class SpokenTrack(MediaStreamTrack):
    """Silence until `speak`, then int16 [n] of any rate once, then silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.began: float | None = None
        """When the first sample was said, Unix seconds; None before."""
        self._sound = np.zeros(0, np.int16)
        self._at: int | None = None
        self._pts = 0
        self._started: float | None = None

    def speak(self, samples: Samples, rate_hz: int) -> None:
        """Begin with the next 20 ms."""
        sound = change_rate(samples.astype(np.float64), rate_hz, RATE_HZ)
        self._sound = np.rint(sound).clip(-32_768, 32_767).astype(np.int16)
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        await asyncio.sleep(self._started + self._pts / RATE_HZ - now)  # the pace of a sound card
        samples = np.zeros(FRAME, np.int16)
        if self._at is not None:
            if self.began is None:
                self.began = time.time()
            piece = self._sound[self._at : self._at + FRAME]
            samples[: len(piece)] = piece
            self._at += FRAME
        # Stereo, because on the way from mono to stereo the encoder would take 3 dB away.
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[np.newaxis], layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._pts, fractions.Fraction(1, RATE_HZ)
        self._pts += FRAME
        return frame
