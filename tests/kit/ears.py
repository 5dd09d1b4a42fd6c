"""What a phone or a browser hears at the moment, measured so that a busy test machine does not spoil it.

Levels are the median of short stretches: a far side that ran dry for 20 ms because the test's own process was
held up says nothing about the bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridge.core.ports import L16_16K, AudioFormat
from bridge.harness.plivo_caller import PlivoCaller, new_call
from tests.kit.browser_peer import Heard
from tests.kit.tones import level_of, tone

AMPLITUDE = 6000.0
"""Peak of every tone: four of them at once are still below full scale."""
STRETCH_S = 0.2
SAME_DB = 1.5
ABSENT_DB = -40.0


@dataclass(frozen=True)
class Sound:
    """A recording; `samples` is real [n] at int16 scale."""

    samples: NDArray[np.float32]
    rate_hz: int

    @classmethod
    def of(cls, samples: ArrayLike, rate_hz: int) -> Sound:
        return cls(np.asarray(samples, np.float32), rate_hz)

    def levels_db(self, frequency_hz: float, against: float = AMPLITUDE) -> NDArray[np.float64]:
        """The tone's level in each stretch, in dB relative to `against`."""
        size = round(STRETCH_S * self.rate_hz)
        levels = [
            level_of(self.samples[at : at + size], self.rate_hz, frequency_hz)
            for at in range(0, len(self.samples) - size + 1, size)
        ]
        return np.asarray(20 * np.log10(np.maximum(levels, 1e-3) / against))

    def level_db(self, frequency_hz: float, against: float = AMPLITUDE) -> float:
        """The usual level."""
        return float(np.median(self.levels_db(frequency_hz, against)))

    def has(self, *frequencies_hz: float) -> None:
        """Each of these tones, as loud as it was sent."""
        found = {frequency: round(self.level_db(frequency), 1) for frequency in frequencies_hz}
        assert all(abs(level) <= SAME_DB for level in found.values()), found

    def lacks(self, *frequencies_hz: float) -> None:
        """None of these tones."""
        found = {frequency: round(self.level_db(frequency), 1) for frequency in frequencies_hz}
        assert all(level <= ABSENT_DB for level in found.values()), found


async def listen(ear: PlivoCaller | Heard, seconds: float = 1.0, skip: float = 0.6) -> Sound:
    """The next `seconds` of what is heard, after `skip` for what is still on its way."""
    if isinstance(ear, Heard):
        return Sound(await ear.next(seconds, skip), 48_000)
    rate_hz = ear.format.rate_hz
    start = len(ear.heard) + round(skip * rate_hz)
    end = start + round(seconds * rate_hz)
    await asyncio.sleep(skip + seconds)
    async with asyncio.timeout(10):
        while len(heard := ear.heard) < end:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.02)
    return Sound.of(heard[start:end], rate_hz)


async def listen_all(*ears: PlivoCaller | Heard, seconds: float = 1.0, skip: float = 0.6) -> list[Sound]:
    """What several hear at the same time."""
    return await asyncio.gather(*(listen(ear, seconds, skip) for ear in ears))


def phone(
    url: str, frequency_hz: float, audio_format: AudioFormat = L16_16K, **of_call: object
) -> PlivoCaller:
    """A caller who hums a steady tone; frequencies of whole hertz loop without a seam."""
    hum = tone(frequency_hz, 1.0, audio_format.rate_hz, AMPLITUDE).astype(np.int16)
    call = new_call(audio_format, **of_call)  # type: ignore[arg-type]
    return PlivoCaller(url, hum, call, loop_sound=True)


async def until(condition: Callable[[], Awaitable[bool] | bool], timeout: float = 10.0) -> None:
    """Wait for what another process has to do first; it can only be asked."""
    async with asyncio.timeout(timeout):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.05)
