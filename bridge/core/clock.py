"""When ticks are due. Pure arithmetic on `now`; somebody else sleeps."""

from __future__ import annotations

from collections.abc import Callable

from bridge.core.ports import TICK_S


class Clock:
    """Says how many ticks are to be run now, and counts what it found.

    Call `due` whenever `next_at` has come (sooner does no harm) and run as many ticks as it says. Ticks keep
    to the grid that the first call began: a late one does not put off the next. Who is more than
    `max_catch_up` ticks late gets one tick and a new grid, since by then the sound is stale.
    """

    def __init__(self, tick_s: float = TICK_S, max_catch_up: int = 5) -> None:
        """Raises ValueError for a tick that is not positive or a catch-up below one tick."""
        if tick_s <= 0 or max_catch_up < 1:
            raise ValueError("a clock needs a positive tick and at least one tick of catch-up")
        self.tick_s = tick_s
        self.max_catch_up = max_catch_up
        self.lateness_s = 0.0
        """How late the newest due tick was noticed."""
        self.early = 0
        """Calls that came before the next tick."""
        self.on_time = 0
        """Calls that found exactly one tick due, less than a tick late."""
        self.late = 0
        """Calls that found more than one tick due and made up for all of them."""
        self.caught_up = 0
        """Ticks run in addition to the newest one, to catch up."""
        self.resets = 0
        """Calls that came too late to make up for."""
        self.skipped = 0
        """Ticks that were never run because of a reset."""
        self.position = 0
        """Number, on the grid, of the newest tick that was begun; those that were never run count too."""
        self._next: float | None = None

    def due(self, now: float) -> int:
        """Ticks to run at `now` (seconds, monotonic): 0 early, 1 on time, n to catch up, 1 after a reset."""
        if self._next is None:
            self._next = now
        behind = now - self._next
        # A timer may fire a hair before its time; without this it would be asked for again at once.
        if behind < -1e-6:
            self.early += 1
            return 0
        ticks = 1 + max(0, int((behind + 1e-6) / self.tick_s))
        self.lateness_s = max(0.0, behind)
        if ticks > self.max_catch_up:
            self.resets += 1
            self.skipped += ticks - 1
            self.position += ticks - 1
            self._next = now + self.tick_s
            return 1
        if ticks == 1:
            self.on_time += 1
        else:
            self.late += 1
            self.caught_up += ticks - 1
        self._next += ticks * self.tick_s
        return ticks

    def begin(self) -> None:
        """Call before each tick that `due` asked for."""
        self.position += 1

    def next_at(self) -> float:
        """When the next tick is due; minus infinity before the first call of `due`."""
        return float("-inf") if self._next is None else self._next


class SoundTime:
    """When the sound of the newest tick was, in Unix milliseconds: counted in ticks, not read off a clock.

    All streams of a process share it, so that what they heard at the same moment has the same time, however
    late it was sent. Ticks that were never run are a jump. `wall` gives Unix seconds, and is asked once.
    """

    def __init__(self, clock: Clock, wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._began_ms: int | None = None

    def __call__(self) -> int:
        elapsed_ms = round(self._clock.position * self._clock.tick_s * 1000)
        if self._began_ms is None:
            self._began_ms = round(self._wall() * 1000) - elapsed_ms
        return self._began_ms + elapsed_ms
