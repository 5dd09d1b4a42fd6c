"""Time that moves only when a test says so."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.core.ports import TICK_S


class ManualClock:
    """Seconds since some moment; `ManualClock()` begins at 100 so that nothing relies on 0."""

    def __init__(self, start: float = 100.0) -> None:
        self._start = start
        self._ticks = 0
        self._extra = 0.0

    @property
    def now(self) -> float:
        # Counted, not summed up, so that a thousand ticks are exactly 20 s.
        return self._start + self._ticks * TICK_S + self._extra

    def advance(self, seconds: float) -> float:
        self._extra += seconds
        return self.now

    def tick(self) -> float:
        """One tick later."""
        self._ticks += 1
        return self.now

    def ticks(self, count: int) -> Iterator[float]:
        """`for now in clock.ticks(3)`: the time after each of three ticks."""
        for _ in range(count):
            yield self.tick()
