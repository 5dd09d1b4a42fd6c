"""Which tick it is, for those who keep what happens in it."""

from __future__ import annotations

from typing import Protocol

from bridge.core.mixbus import TickResult


class Ticking(Protocol):
    """`bridge.core.mixbus.MixBus`."""

    def tick(self, now: float) -> TickResult: ...


class Counting(Protocol):
    """`bridge.core.clock.Clock`."""

    @property
    def position(self) -> int: ...


class TickStamp:
    """Stands between the pacer and the mixer; `number` and `now` are of the tick that was begun last."""

    def __init__(self, bus: Ticking, clock: Counting) -> None:
        self._bus = bus
        self._clock = clock
        self.now = 0.0
        """Seconds, monotonic, as the mixer was told."""

    @property
    def number(self) -> int:
        """On the clock's grid: ticks that were never run count too."""
        return self._clock.position

    def tick(self, now: float) -> TickResult:
        """The mixer's."""
        self.now = now
        return self._bus.tick(now)
