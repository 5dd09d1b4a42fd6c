"""One stretch on its way to the disk: what waits, what is there, and who waits for that."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.core.ports import PTIME_MS
from bridge.outputs.log_queue import LogQueue
from bridge.outputs.record import Begun, Record
from bridge.outputs.record_log import IDENTITY_BYTES
from bridge.outputs.scribe_wire import Append, Open


@dataclass(frozen=True, slots=True)
class LogFigures:
    """What can be seen of a recording's log, of its newest stretch."""

    bytes: int
    """Of the stretch's log, on the disk."""
    ticks: int
    """Told so far."""
    durable_ticks: int
    lag_ms: int
    """Between what was told and what is durable."""
    queue_bytes: int
    """Of what is not known to be on the disk."""
    holes: int
    lost_ticks: int
    trouble: str | None
    """What is wrong now."""


class StretchLog:
    """The server's side of a log that the scribe writes. On the event loop's thread."""

    def __init__(self, number: int, begun: Begun, queue: LogQueue) -> None:
        """`number`: what it is called between server and scribe."""
        self.number = number
        self.begun = begun
        self.queue = queue
        self.opening: int | None = None
        """Which time the scribe opened it; None: it is not open."""
        self.asked = False
        """The scribe was asked to open it."""
        self.ending = False
        """Nothing more is told in it."""
        self.trouble: str | None = None
        self.size = 0
        self.progress_at = time.monotonic()
        """When something went forward, or began to wait."""
        self._identity = os.urandom(IDENTITY_BYTES)
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.put([begun], 0)

    def put(self, records: Sequence[Record], until: int) -> None:
        """All there is to tell of the ticks until before `until`."""
        if self.all_there:
            self.progress_at = time.monotonic()  # until now there was nothing to wait for
        self.queue.put(records, until)

    @property
    def all_there(self) -> bool:
        """Everything told so far is on the disk."""
        return self.queue.acknowledged == self.queue.newest

    def order_to_open(self) -> Open:
        """What the scribe is to be asked."""
        return Open(
            self.number, self.begun.recording, self.begun.stretch, self._identity, self.queue.acknowledged
        )

    def hand_over(self, take: Callable[[Append], bool]) -> None:
        """Give `take` what may be handed over now, in order, until it takes no more."""
        if self.opening is None:
            return
        for batch in self.queue.to_send():
            payload = self.queue.payload_of(batch)
            append = Append(self.number, self.opening, batch.sequence, batch.since, batch.until, payload)
            if not take(append):
                return
            self.queue.sent(batch)

    async def wait(self, within_s: float) -> bool:
        """Until everything told so far is on the disk; False when that takes longer."""
        sequence = self.queue.newest
        if self.queue.acknowledged >= sequence:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((sequence, waiter))
        try:
            async with asyncio.timeout(within_s):
                await waiter
            return True
        except TimeoutError:
            return False
        finally:
            self._waiters = [entry for entry in self._waiters if entry[1] is not waiter]

    def wake(self) -> None:
        """Those who wait for what is on the disk by now."""
        for sequence, waiter in self._waiters:
            if sequence <= self.queue.acknowledged and not waiter.done():
                waiter.set_result(None)

    def figures(self) -> LogFigures:
        """As it is now."""
        queue = self.queue
        lag_ms = (queue.until - queue.durable_until) * PTIME_MS
        return LogFigures(
            self.size, queue.until, queue.durable_until, lag_ms, queue.bytes, queue.holes, queue.lost_ticks,
            self.trouble,
        )  # fmt: skip
