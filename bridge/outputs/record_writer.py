"""Gets what is recorded onto the disk, by way of the scribe, and knows what is there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.core.ports import PTIME_MS
from bridge.outputs.back_off import BackOff
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.log_queue import LogQueue
from bridge.outputs.record import Begun, Ended, Record
from bridge.outputs.scribe import FAREWELL_S
from bridge.outputs.scribe_child import ScribeChild
from bridge.outputs.scribe_wire import Answer, Close, Durable, Opened, Troubled
from bridge.outputs.stretch_log import LogFigures, StretchLog

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
        self._on_problem = on_problem
        self._on_resumed = on_resumed
        self._settings = settings = settings or WriterSettings()
        self._scribe = ScribeChild(
            root, settings.limits, settings.back_off,
            on_begun=self._open_all, on_answer=self._answered, on_ended=self._scribe_ended,
        )  # fmt: skip
        self._current: dict[str, StretchLog] = {}
        self._open: dict[int, StretchLog] = {}
        self._last = 0
        self._watching: asyncio.Task[None] | None = None
        self._bytes = self._past_holes = self._past_lost_ticks = 0
        self._waiting_at_most = 0
        """No more bytes than these wait for the disk; counted anew when that might be too many."""

    async def start(self) -> None:
        """From now on there is a scribe when one is needed."""
        self._scribe.start()
        self._watching = asyncio.create_task(self._watch())

    async def close(self, within_s: float = 5.0) -> None:
        """Let the scribe write what it has, and end it. What was not ended is adopted at the next start."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._scribe.stop(within_s)

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
        made = StretchLog(self._last, begun, queue)
        self._current[begun.recording] = self._open[made.number] = made
        self._scribe.want()
        self._ask_to_open(made)

    def put(self, recording: str, records: Sequence[Record], until: int) -> None:
        """All there is to tell of the ticks since the last call until before `until`; silence too.

        Nothing happens for a recording that is not going on.
        """
        one = self._current.get(recording)
        if one is None or one.ending:
            return
        before = one.queue.bytes
        one.put(records, until)
        self._hand_over(one)
        self._waiting_at_most += one.queue.bytes - before
        if self._waiting_at_most > self._settings.total_bytes:
            self._push_out()

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
        if await one.wait(within_s):
            return 0
        return max(1, one.queue.until - one.queue.durable_until)

    def figures(self, recording: str) -> LogFigures | None:
        """None for a recording that this server has not written."""
        one = self._current.get(recording)
        return one.figures() if one is not None else None

    @property
    def restarts(self) -> int:
        """Times the scribe had to be begun again."""
        return self._scribe.restarts

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

    # --- with the scribe ---

    def _open_all(self) -> None:
        for one in list(self._open.values()):
            self._ask_to_open(one)

    def _ask_to_open(self, one: StretchLog) -> None:
        one.opening = None
        one.asked = self._scribe.send(one.order_to_open())

    def _answered(self, answer: Answer) -> None:
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
        elif answer.opening == one.opening:
            one.queue.acknowledge(answer.sequence)
        is_written = isinstance(answer, Durable) or one.all_there
        if one.trouble is not None and one.opening is not None and is_written:
            one.trouble = None
            self._tell(self._on_resumed, one.begun.recording)
        self._hand_over(one)
        one.wake()
        if one.ending and one.all_there:
            self._let_go(one)

    def _hand_over(self, one: StretchLog) -> None:
        one.hand_over(self._scribe.send)

    def _push_out(self) -> None:
        """The oldest of whoever has the most waiting, until no more waits than may."""
        waiting = sum(one.queue.bytes for one in self._open.values())
        while waiting > self._settings.total_bytes:
            largest = max((one.queue for one in self._open.values()), key=lambda queue: queue.bytes)
            before = largest.bytes
            if not largest.push_out():
                break
            waiting -= before - largest.bytes
        self._waiting_at_most = waiting

    def _let_go(self, one: StretchLog) -> None:
        if self._open.pop(one.number, None) is not None:
            self._past_holes += one.queue.holes
            self._past_lost_ticks += one.queue.lost_ticks
        one.opening = None
        self._scribe.send(Close(one.number))

    # --- what is wrong ---

    def _scribe_ended(self, code: int) -> None:
        for one in list(self._open.values()):
            one.opening = None
            self._trouble(one, f"the writing process ended ({code}) and is begun again")

    async def _watch(self) -> None:
        """Notices who does not answer, and hands over what found no room before."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for one in list(self._open.values()):
                if not one.asked:
                    self._ask_to_open(one)
                self._hand_over(one)
                if (
                    not one.all_there
                    and one.trouble is None
                    and now - one.progress_at > self._settings.stall_s
                ):
                    self._trouble(one, f"nothing could be written for {self._settings.stall_s:.0f} s")

    def _trouble(self, one: StretchLog, text: str) -> None:
        if one.trouble != text:
            one.trouble = text
            self._tell(self._on_problem, one.begun.recording, text)

    def _tell(self, callback: Callable[..., None], *arguments: str) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("x what was told of a recording was not understood")
