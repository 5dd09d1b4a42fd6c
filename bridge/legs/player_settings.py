"""How players are treated, and what their legs are given to do it with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PlayerSettings:
    """Patience and bounds."""

    first_attempts: int = 5
    """To reach a source for the first time; then the leg ends."""
    most_broken: int = 5
    """Times in a row that a live source comes to nothing for what is in it; then the leg ends."""
    least_pause_s: float = 0.5
    most_pause_s: float = 10.0
    """Between attempts: it doubles from one to the next…"""
    good_after_s: float = 10.0
    """…until so much was heard."""
    ahead_ms: int = 2_000
    """Sound that is decoded before its time, where that can be."""
    silent_s: float = 2.0
    """A live source from which nothing has come for so long is interrupted."""
    spare_cpu_s: float = 10.0
    """Processor time that a child may use without a second of sound."""
    fetch_s: float = 15.0
    """For a playlist or a segment, all of it."""
    playlist_bytes: int = 1 << 20
    segment_bytes: int = 16 << 20


class Timer(Protocol):
    """`asyncio.TimerHandle`."""

    def cancel(self) -> None: ...


def _call_later(delay_s: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, call)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance, for players."""

    now: Callable[[], float] = monotonic
    """The mixer's clock, in seconds."""
    call_later: Callable[[float, Callable[[], None]], Timer] = field(default=_call_later)
    chance: Callable[[], float] = field(default=random.random)
    """0 up to 1: so that players that failed together do not come back together."""

    async def pause(self, seconds: float) -> None:
        """Wait so long."""
        over = asyncio.Event()
        timer = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
