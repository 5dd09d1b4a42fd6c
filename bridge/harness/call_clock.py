"""One schedule for all simulated calls of a process: each is called every 20 ms, from a moment of its own."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Callable

from bridge.core.ports import TICK_S

EARLY_S = 0.0005
"""A tick so close is not waited for: timers are no finer than 1 ms."""


class Beat:
    """One call's ticks. `over` is done when they have ended, with the error of the tick that raised one."""

    __slots__ = ("_now", "_tick", "due", "over")

    def __init__(self, due: float, tick: Callable[[float], None], now: Callable[[], float]) -> None:
        self._tick = tick
        self._now = now
        self.due = due
        """When the next tick is to be."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """No more ticks; may be called from within one, and more than once."""
        if not self.over.done():
            self.over.set_result(None)

    def catch_up(self) -> None:
        """Have the ticks now that should have been by now: what happens next happens after them."""
        while self.due <= self._now() and not self.over.done():
            self.tick()

    def tick(self) -> None:
        """The next tick, a little early or however late."""
        late_s = self._now() - self.due
        self.due += TICK_S
        try:
            self._tick(late_s if late_s > 0.0 else 0.0)
        except Exception as wrong:
            if not self.over.done():
                self.over.set_exception(wrong)


class CallClock:
    """`begin` a call's ticks, on the loop that runs. Ticks that are late are all made up for, one by one.

    A tick must not block. What a loop and a task for each call would cost is a third of what a call does.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due: list[tuple[float, int, Beat]] = []
        """A heap; the number keeps beats of one moment in the order in which they were begun."""
        self._begun = 0
        self._wake: asyncio.Handle | None = None
        self._wakes_at = math.inf

    def begin(self, first_due: float, tick: Callable[[float], None]) -> Beat:
        """Call `tick` at `first_due` and every 20 ms from then on, with the seconds by which it is late."""
        beat = Beat(first_due, tick, self._now)
        self._begun += 1
        heapq.heappush(self._due, (first_due, self._begun, beat))
        self._wait()
        return beat

    def _wait(self) -> None:
        """See to being woken for whoever is due first."""
        first = self._due[0][0] if self._due else math.inf
        if self._wake is not None:
            if self._wakes_at <= first:
                return
            self._wake.cancel()
            self._wake = None
        if not self._due:
            return
        self._wakes_at = first
        loop = asyncio.get_running_loop()
        pause_s = first - self._now()
        if pause_s <= EARLY_S:
            self._wake = loop.call_soon(self._run)
        else:
            self._wake = loop.call_later(math.ceil(1000 * (pause_s - EARLY_S)) / 1000, self._run)

    def _run(self) -> None:
        """Each call that is due has one tick; who is due again waits until sockets have had their turn."""
        self._wake = None
        due = self._due
        until = self._now() + EARLY_S
        for _ in range(len(due)):
            at, number, beat = due[0]
            if beat.over.done():
                heapq.heappop(due)
                continue
            if at > until:
                break
            if beat.due <= until:
                beat.tick()
            heapq.heapreplace(due, (beat.due, number, beat))
        self._wait()
