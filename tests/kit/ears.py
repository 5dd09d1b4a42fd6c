"""What a phone or a browser hears at the moment, measured so that a busy test machine does not spoil it.

Levels are the median of short stretches: a far side that ran dry for 20 ms because the test's own process was
held up says nothing about the bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

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


class Ear(Protocol):
    """Keeps what it hears: a simulated caller, or one track at a service."""

    format: AudioFormat

    @property
    def heard(self) -> NDArray[np.int16]: ...


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

    def missing(self, wanted: Collection[float], unwanted: Collection[float]) -> dict[float, float]:
        """Wanted tones that are not as loud as they were sent, and unwanted ones, with their levels in dB."""
        levels = {hertz: round(self.level_db(hertz), 1) for hertz in (*wanted, *unwanted)}
        return {
            hertz: level
            for hertz, level in levels.items()
            if (abs(level) > SAME_DB if hertz in wanted else level > ABSENT_DB)
        }


async def listen(ear: Ear | Heard, seconds: float = 1.0, skip: float = 0.6) -> Sound:
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


async def hears(
    ear: Ear | Heard, *tones: float, but_not: Collection[float] = (), within_s: float = 12.0
) -> None:
    """These tones as loud as they were sent and none of the others, for most of a second, soon.

    How soon depends on what waits in the listener's own buffer, and on what else the machine does.
    """
    loop = asyncio.get_running_loop()
    last = loop.time() + within_s
    attempts = []
    while wrong := (await listen(ear, 0.8, 0.4)).missing(tones, but_not):
        attempts.append(wrong)
        assert loop.time() < last, f"dB of what was not as it should be, time after time: {attempts}"


def phone(url: str, frequency_hz: float, audio_format: AudioFormat = L16_16K, **of_call: Any) -> PlivoCaller:
    """A caller who hums a steady tone; frequencies of whole hertz loop without a seam."""
    hum = tone(frequency_hz, 1.0, audio_format.rate_hz, AMPLITUDE).astype(np.int16)
    call = new_call(audio_format, **of_call)
    return PlivoCaller(url, hum, call, loop_sound=True)


async def end_code(call: PlivoCaller, within_s: float = 10.0) -> int:
    """With which code the service ends the call, soon."""
    async with asyncio.timeout(within_s):
        return (await call.ended()).code


async def until(condition: Callable[[], Awaitable[bool] | bool], timeout: float = 10.0) -> None:
    """Wait for what another process has to do first; it can only be asked."""
    async with asyncio.timeout(timeout):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.05)
