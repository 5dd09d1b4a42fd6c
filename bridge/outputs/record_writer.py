"""Gets what is recorded onto the disk, by way of the scribe, and knows what is there."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.core.ports import PTIME_MS
from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.outputs.log_queue import LogQueue
from bridge.outputs.record import Begun, Ended, Record
from bridge.outputs.record_log import IDENTITY_BYTES
from bridge.outputs.scribe import FAREWELL_S
from bridge.outputs.scribe_wire import Append, Close, Durable, Open, Opened, Troubled, decode_answer, encode

log = logging.getLogger(__name__)

_WATCH_S = 0.25


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """How much is kept for a disk or scribe that does not answer, and for how long that is waited for."""

    queue_s: float = 30.0
    queue_bytes: int = 48 << 20
    """Of one recording."""
    total_bytes: int = 512 << 20
    """Of all; beyond it, what waits longest of the largest is pushed out."""
    window_bytes: int = 4 << 20
    stall_s: float = 4.0
    """Nothing acknowledged for so long is a problem to be told."""
    back_off: BackOff = BackOff(first_s=0.1, most_s=5.0)
    limits: ChildLimits = ChildLimits(hang_s=5.0, open_files=4096, farewell_s=FAREWELL_S + 1.0)


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
    holes: int
    lost_ticks: int
    trouble: str | None
    """What is wrong now."""


@dataclass(frozen=True, slots=True)
class WriterTotals:
    """Of all recordings; counters, but for `lag_ms` and `queue_bytes`."""

    bytes: int
    lag_ms: int
    """Of the one that is behind the most."""
    queue_bytes: int
    holes: int
    lost_ticks: int
    restarts: int


class RecordWriter:
    """All recordings' logs of a server, under `root`. On the event loop's thread; nothing blocks.

    `begin` a stretch, `put` what is to be told in it, `end` it. Whatever the disk or the scribe does, `put`
    takes what it is given; what finds no room pushes out the oldest, which becomes a hole. `on_problem` is
    called with a recording when its log cannot be written, `on_resumed` when it can be again.
    """

    def __init__(
        self,
        root: Path,
        *,
        on_problem: Callable[[str, str], None] = lambda recording, text: None,
        on_resumed: Callable[[str], None] = lambda recording: None,
        settings: WriterSettings | None = None,
    ) -> None:
        self._root = root
        self._on_problem = on_problem
        self._on_resumed = on_resumed
        self._settings = settings or WriterSettings()
        self._current: dict[str, _Log] = {}
        self._open: dict[int, _Log] = {}
        self._last = 0
        self._child: Child | None = None
        self._exited = asyncio.Event()
        self._wanted = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing = False
        self._bytes = self._past_holes = self._past_lost_ticks = 0
        self.restarts = 0
        """Times the scribe had to be begun again."""

    async def start(self) -> None:
        """From now on there is a scribe when one is needed."""
        self._keeping = asyncio.create_task(self._keep_scribe())
        self._watching = asyncio.create_task(self._watch())

    async def close(self, within_s: float = 5.0) -> None:
        """Let the scribe write what it has, and end it. What was not ended is adopted at the next start."""
        self._closing = True
        for task in (self._keeping, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._child is not None:
            await self._child.stop(within_s)
            self._child = None

    def begin(self, begun: Begun) -> None:
        """A stretch of `begun.recording` begins; the one before it must have been ended."""
        settings = self._settings
        self._last += 1
        queue = LogQueue(
            begun,
            max_ticks=int(settings.queue_s * 1000 / PTIME_MS),
            max_bytes=settings.queue_bytes,
            window_bytes=settings.window_bytes,
        )
        made = _Log(self._last, begun, os.urandom(IDENTITY_BYTES), queue, time.monotonic())
        self._current[begun.recording] = self._open[made.number] = made
        made.put([begun], 0)
        self._wanted.set()
        self._ask_to_open(made)

    def put(self, recording: str, records: Sequence[Record], until: int) -> None:
        """All there is to tell of the ticks since the last call until before `until`; silence too.

        Nothing happens for a recording that is not going on.
        """
        one = self._current.get(recording)
        if one is None or one.ending:
            return
        one.put(records, until)
        self._hand_over(one)
        while sum(other.queue.bytes for other in self._open.values()) > self._settings.total_bytes:
            if not max(self._open.values(), key=lambda other: other.queue.bytes).queue.push_out():
                break

    async def durable(self, recording: str, within_s: float) -> bool:
        """Wait until everything told so far is on the disk. False when it is not by then."""
        one = self._current.get(recording)
        return one is None or await one.wait_for(one.queue.newest, within_s)

    async def end(self, recording: str, ended: Ended, within_s: float) -> int:
        """The stretch is over. Back when all of it is on the disk, or after `within_s`.

        Gives the number of ticks that are not on the disk by then (0: it is complete); the writer goes on
        trying to get them there. Nothing happens for a recording that is not going on.
        """
        one = self._current.get(recording)
        if one is None or one.ending:
            return 0
        one.put([], ended.tick)
        one.put([ended], ended.tick)
        one.ending = True
        self._hand_over(one)
        if await one.wait_for(one.queue.newest, within_s):
            return 0
        return max(1, one.queue.until - one.queue.durable_until)

    def figures(self, recording: str) -> LogFigures | None:
        """None for a recording that this server has not written."""
        one = self._current.get(recording)
        if one is None:
            return None
        queue = one.queue
        lag_ms = (queue.until - queue.durable_until) * PTIME_MS
        return LogFigures(
            one.size, queue.until, queue.durable_until, lag_ms, queue.bytes, queue.holes, queue.lost_ticks,
            one.trouble,
        )  # fmt: skip

    def totals(self) -> WriterTotals:
        """Since the server began."""
        queues = [one.queue for one in self._open.values()]
        return WriterTotals(
            self._bytes,
            max((queue.until - queue.durable_until for queue in queues), default=0) * PTIME_MS,
            sum(queue.bytes for queue in queues),
            self._past_holes + sum(queue.holes for queue in queues),
            self._past_lost_ticks + sum(queue.lost_ticks for queue in queues),
            self.restarts,
        )

    def forget(self, recording: str) -> None:
        """Of a recording that is over, or is to be removed whatever is not written of it."""
        for one in [one for one in self._open.values() if one.begun.recording == recording]:
            self._let_go(one)
        self._current.pop(recording, None)

    # --- the scribe ---

    async def _keep_scribe(self) -> None:
        await self._wanted.wait()
        failures = Failures(self._settings.back_off)
        while True:
            self._exited.clear()
            child = Child(
                "scribe", {"root": str(self._root)}, limits=self._settings.limits,
                on_message=self._answered, on_exit=self._scribe_ended,
            )  # fmt: skip
            began = time.monotonic()
            try:
                await child.start()
                self._child = child
                for one in list(self._open.values()):
                    self._ask_to_open(one)
                await self._exited.wait()
            except OSError as wrong:
                log.error("x no scribe could be begun: %s", wrong)
                self._scribe_ended(-1)
            except asyncio.CancelledError:
                self._child = child
                raise
            self._child = None
            self.restarts += 1
            await asyncio.sleep(failures.failed(time.monotonic() - began))

    def _scribe_ended(self, code: int) -> None:
        self._exited.set()
        if self._closing:
            return
        log.error("x the scribe ended (%d) and is begun again", code)
        for one in list(self._open.values()):
            one.opening = None
            self._trouble(one, f"the writing process ended ({code}) and is begun again")

    def _ask_to_open(self, one: _Log) -> None:
        one.opening = None
        if self._child is not None:
            asked = self._child.send(encode(Open(
                one.number, one.begun.recording, one.begun.stretch, one.identity, one.queue.acknowledged
            )))  # fmt: skip
            one.asked = asked

    def _answered(self, message: bytes) -> None:
        answer = decode_answer(message)
        one = self._open.get(answer.log)
        if one is None:
            return
        one.progress_at = time.monotonic()
        if isinstance(answer, Troubled):
            one.opening = None
            self._trouble(one, answer.text)
            return
        self._bytes += max(0, answer.size - one.size)
        one.size = answer.size
        if isinstance(answer, Opened):
            one.opening = answer.opening
            one.queue.reopened(answer.sequence, answer.until)
        elif isinstance(answer, Durable) and answer.opening == one.opening:
            one.queue.acknowledge(answer.sequence)
        all_there = one.queue.acknowledged == one.queue.newest
        if one.trouble is not None and one.opening is not None and (isinstance(answer, Durable) or all_there):
            one.trouble = None
            self._tell(self._on_resumed, one.begun.recording)
        self._hand_over(one)
        one.wake()
        if one.ending and all_there:
            self._let_go(one)

    def _hand_over(self, one: _Log) -> None:
        if self._child is None or one.opening is None:
            return
        for batch in one.queue.to_send():
            payload = one.queue.payload_of(batch)
            append = Append(one.number, one.opening, batch.sequence, batch.since, batch.until, payload)
            if not self._child.send(encode(append)):
                return
            one.queue.sent(batch)

    def _let_go(self, one: _Log) -> None:
        if self._open.pop(one.number, None) is not None:
            self._past_holes += one.queue.holes
            self._past_lost_ticks += one.queue.lost_ticks
        one.opening = None
        if self._child is not None:
            self._child.send(encode(Close(one.number)))

    # --- what is wrong ---

    async def _watch(self) -> None:
        """Notices who does not answer, and hands over what found no room before."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for one in list(self._open.values()):
                if self._child is not None and not one.asked:
                    self._ask_to_open(one)
                self._hand_over(one)
                waits = one.queue.acknowledged < one.queue.newest
                if waits and one.trouble is None and now - one.progress_at > self._settings.stall_s:
                    self._trouble(one, f"nothing could be written for {self._settings.stall_s:.0f} s")

    def _trouble(self, one: _Log, text: str) -> None:
        if one.trouble != text:
            one.trouble = text
            self._tell(self._on_problem, one.begun.recording, text)

    def _tell(self, callback: Callable[..., None], *arguments: str) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("x what was told of a recording was not understood")


class _Log:
    """One stretch being written."""

    def __init__(self, number: int, begun: Begun, identity: bytes, queue: LogQueue, now: float) -> None:
        self.number = number
        self.begun = begun
        self.identity = identity
        self.queue = queue
        self.opening: int | None = None  # None: not open
        self.asked = False
        self.ending = False
        self.trouble: str | None = None
        self.size = 0
        self.progress_at = now
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def put(self, records: Sequence[Record], until: int) -> None:
        if self.queue.acknowledged == self.queue.newest:
            self.progress_at = time.monotonic()  # until now there was nothing to wait for
        self.queue.put(records, until)

    async def wait_for(self, sequence: int, within_s: float) -> bool:
        """Until that batch is durable."""
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
        for sequence, waiter in self._waiters:
            if sequence <= self.queue.acknowledged and not waiter.done():
                waiter.set_result(None)
