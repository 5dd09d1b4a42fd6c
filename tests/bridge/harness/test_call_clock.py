"""One schedule for many calls, on a loop whose time moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bridge.harness.call_clock import CallClock

pytestmark = pytest.mark.unit


class ManualLoop(asyncio.SelectorEventLoop):
    """Waits for nothing: when nobody has anything to do, time goes on to whoever is due next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.wakes = 0
        self._timers: list[tuple[float, int, asyncio.Handle]] = []

    def time(self) -> float:
        return self.now

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *rest: Any
    ) -> asyncio.Handle:
        self.wakes += 1
        handle = asyncio.Handle(callback, rest, self, None)
        heapq.heappush(self._timers, (self.now + delay, self.wakes, handle))
        return handle

    async def until(self, moment: float) -> None:
        """Let time pass."""
        while True:
            for _ in range(6):
                await asyncio.sleep(0)
            while self._timers and self._timers[0][2].cancelled():
                heapq.heappop(self._timers)
            if not self._timers or self._timers[0][0] > moment:
                self.now = max(self.now, moment)
                return
            at, _, handle = heapq.heappop(self._timers)
            self.now = max(self.now, at)
            self.call_soon(handle._run)


def played(scene: Callable[[ManualLoop, CallClock], Coroutine[Any, Any, None]]) -> None:
    loop = ManualLoop()
    try:
        loop.run_until_complete(scene(loop, CallClock(lambda: loop.now)))
    finally:
        loop.close()


def test_each_call_ticks_every_twenty_milliseconds_from_its_own_moment_on() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        ticks: list[tuple[str, float, float]] = []
        for name, first in (("b", 50.013), ("a", 50.005)):
            clock.begin(first, lambda late, name=name: ticks.append((name, round(loop.now, 6), late)))  # type: ignore[misc]
        await loop.until(50.06)
        assert [(name, at) for name, at, _ in ticks] == [
            ("a", 50.005), ("b", 50.013), ("a", 50.025), ("b", 50.033), ("a", 50.045), ("b", 50.053),
        ]  # fmt: skip
        assert all(late < 0.001 for _, _, late in ticks)

    played(scene)


def test_hundreds_of_calls_wake_the_loop_no_more_than_once_a_millisecond() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        count = 0

        def tick(late: float) -> None:
            nonlocal count
            count += 1

        for number in range(300):
            clock.begin(50.02 + 0.02 * (number * 0.618034 % 1), tick)
        loop.wakes = 0
        await loop.until(51.0)
        assert count == pytest.approx(300 * 49, abs=300)
        assert loop.wakes <= 1_000

    played(scene)


def test_what_is_late_is_made_up_for_one_by_one_and_told_how_late_it_was() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        late: list[int] = []
        clock.begin(50.02, lambda by: late.append(round(1000 * by)))
        loop.now = 50.075
        await loop.until(50.085)
        assert late == [55, 35, 15, 0]

    played(scene)


def test_between_two_ticks_that_are_late_sockets_have_their_turn() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        happened: list[str] = []

        def tick(late: float) -> None:
            happened.append("tick")
            loop.call_soon(lambda: happened.append("socket"))

        clock.begin(50.02, tick)
        loop.now = 50.065
        await loop.until(50.066)
        assert happened == ["tick", "socket"] * 3

    played(scene)


def test_an_event_finds_those_ticks_done_that_should_have_been() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        late: list[int] = []
        beat = clock.begin(50.02, lambda by: late.append(round(1000 * by)))
        loop.now = 50.019
        beat.catch_up()
        assert late == []
        loop.now = 50.045
        beat.catch_up()
        assert late == [25, 5]
        await loop.until(50.0599)
        assert late == [25, 5]
        await loop.until(50.061)
        assert late == [25, 5, 0]

    played(scene)


def test_a_call_that_has_stopped_ticks_no_more() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        ticks: list[str] = []

        def once(late: float) -> None:
            ticks.append("once")
            first.stop()
            first.stop()

        first = clock.begin(50.02, once)
        clock.begin(50.03, lambda late: ticks.append("other"))
        await loop.until(50.055)
        assert ticks == ["once", "other", "other"]
        await first.over

    played(scene)


def test_an_error_ends_the_call_in_whose_tick_it_was_and_no_other() -> None:
    async def scene(loop: ManualLoop, clock: CallClock) -> None:
        ticks: list[float] = []

        def fail(late: float) -> None:
            raise ValueError("of that call")

        broken = clock.begin(50.02, fail)
        clock.begin(50.021, ticks.append)
        await loop.until(50.07)
        with pytest.raises(ValueError, match="of that call"):
            await broken.over
        assert len(ticks) == 3

    played(scene)
