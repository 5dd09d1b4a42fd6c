"""The one thing that makes ticks happen: sleeps until the clock says a tick is due, then runs it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from bridge.core.events import CoreEvent
from bridge.core.mixbus import TickResult
from bridge.runtime.encode_pool import Deliver, EncodePool

log = logging.getLogger(__name__)


class TickClock(Protocol):
    """`bridge.core.clock.Clock`."""

    def due(self, now: float) -> int: ...

    def begin(self) -> None: ...

    def next_at(self) -> float: ...

    @property
    def lateness_s(self) -> float: ...


class Ticking(Protocol):
    """`bridge.core.mixbus.MixBus`."""

    def tick(self, now: float) -> TickResult: ...


class Deliveries(Protocol):
    """`bridge.dispatch.Dispatch`."""

    def deliver_frames(self, result: TickResult, late: bool) -> None: ...

    @property
    def deliver_packets(self) -> Deliver: ...


class Pacer:
    """Runs due ticks on the event loop and hands out what they give.

    `observe(lateness_s, duration_s)` is called once a tick; `on_event` gets the core's events. A tick
    that raises is logged and counted; the next one runs all the same.
    """

    def __init__(
        self,
        clock: TickClock,
        bus: Ticking,
        dispatch: Deliveries,
        encode_pool: EncodePool,
        *,
        observe: Callable[[float, float], None] = lambda lateness_s, duration_s: None,
        on_event: Callable[[CoreEvent], None] = lambda event: None,
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._dispatch = dispatch
        self._encode_pool = encode_pool
        self._observe = observe
        self._on_event = on_event
        self.failed = 0

    async def run(self) -> None:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            now = time.monotonic()
            due = self._clock.due(now)
            for left in range(due - 1, -1, -1):
                self._tick(now, late=left > 0)
            wait = self._clock.next_at() - time.monotonic()
            if wait <= 0:
                await asyncio.sleep(0)
                continue
            woken = loop.create_future()
            timer = loop.call_later(wait, _wake, woken)
            try:
                await woken
            finally:
                timer.cancel()

    def _tick(self, now: float, late: bool) -> None:
        began = time.monotonic()
        self._clock.begin()
        try:
            result = self._bus.tick(now)
            # Raw frames first: their sockets are the slowest way out.
            self._dispatch.deliver_frames(result, late)
            self._encode_pool.run(result.encodes, self._dispatch.deliver_packets, now)
            for event in result.events:
                self._on_event(event)
        except Exception:
            self.failed += 1
            if self.failed in (1, 10, 100) or self.failed % 1000 == 0:
                log.exception("x a tick failed (%d so far)", self.failed)
        self._observe(self._clock.lateness_s, time.monotonic() - began)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
