"""A caller who says something to its end, or over and over, and then hears out what is still being played."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bridge.core.ports import PTIME_MS, AudioFormat
from bridge.harness.sound import Loop, Samples
from bridge.harness.voice import HeardEvent, Says

TAIL_MS = 1_000
"""How long to listen on once everything has been said."""
MAX_TAIL_MS = 60_000
"""At most so long for what is then still waiting to be played."""


class Recital:
    """A `Voice`. `waiting_ms` tells how much is waiting to be played to the caller.

    With `seconds` the call lasts so long; else until the sound has been said and the rest heard, which for a
    sound that is said over and over is never.
    """

    def __init__(
        self,
        sound: Samples,
        audio_format: AudioFormat,
        waiting_ms: Callable[[], float],
        *,
        loop: bool = False,
        seconds: float | None = None,
    ) -> None:
        self._loop = Loop(sound, audio_format.frame_samples, repeat=loop)
        self._silence = np.zeros(audio_format.frame_samples, np.int16)
        self._waiting_ms = waiting_ms
        self._now_ms = 0
        self._ends_ms = None if seconds is None else round(1000 * seconds)
        self._heard_out = seconds is not None

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """See `Voice.tick`."""
        self._now_ms += PTIME_MS
        if self._ends_ms is None and self._loop.over:
            self._ends_ms = self._now_ms + TAIL_MS
        frame = self._silence if self._loop.over else self._loop.next_frame()
        return Says(frame, hangs_up=self._ends_ms is not None and self._over(self._ends_ms))

    def _over(self, ends_ms: int) -> bool:
        if self._now_ms < ends_ms:
            return False
        if not self._heard_out:
            # Asked once: a service that never stops sending would keep the queue from ever being empty.
            self._heard_out = True
            self._ends_ms = self._now_ms + round(min(self._waiting_ms(), MAX_TAIL_MS))
        return self._now_ms >= (self._ends_ms or 0)
