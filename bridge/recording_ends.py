"""What becomes of recordings whose conference has ended.

With a conference that is deleted its recording goes at once, and what waits to be uploaded with it. One whose
conference came to the end of its time is finished and sent where it was to go, and stays here for as long as
the operator wants. Either is gone on with after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from bridge.recording_wishes import wishes_of
from bridge.records import KeptRecording, RecordingRecords
from bridge.shelf_port import Shelf

log = logging.getLogger(__name__)

ARRIVE_WITHIN_S = 7 * 86_400.0
"""Then it goes although it has not arrived at its storage."""


class RecordingEnds:
    """On the event loop's thread; `close` leaves the rest to the next start."""

    def __init__(
        self,
        records: RecordingRecords,
        shelf: Shelf,
        keep_s: float = 0.0,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`keep_s`: how long recordings of expired conferences stay here."""
        self._records = records
        self._shelf = shelf
        self._keep_s = keep_s
        self._now = now
        self._sleep = sleep
        self._staying: dict[str, asyncio.Task[None]] = {}

    def stays(self, recording: KeptRecording) -> bool:
        """Whether there is a reason not to remove one of an expired conference at once."""
        return bool(recording.expired_at) and (
            self._keep_s > 0 or self._shelf.sends(wishes_of(recording).storage)
        )

    def keep(self, recording: KeptRecording) -> None:
        """It stays until it has arrived and its time is over; the shelf has it, and nothing is written."""
        self._shelf.rest(recording.id, over=True)
        task = self._staying[recording.id] = asyncio.create_task(self._stay(recording))
        task.add_done_callback(lambda done: self._ended(recording.id, done))

    async def remove(self, recording: KeptRecording) -> None:
        """Now. Its row goes last: whatever is cut off is gone on with. Raises OSError."""
        await self._shelf.remove(recording.id)
        await self._records.forget_recording(recording.id)

    async def remove_or_say(self, recording: KeptRecording) -> None:
        """What cannot be removed now is tried at the next start."""
        try:
            await self.remove(recording)
        except OSError as error:
            log.error("x recording %s cannot be removed: %s", recording.id, error.strerror)

    async def close(self) -> None:
        """Wait for nothing."""
        staying = [*self._staying.values()]
        for task in staying:
            task.cancel()
        await asyncio.gather(*staying, return_exceptions=True)

    async def _stay(self, recording: KeptRecording) -> None:
        arriving = asyncio.create_task(self._shelf.through(recording.id))
        late = asyncio.create_task(self._until(recording.expired_at + ARRIVE_WITHIN_S))
        try:
            await asyncio.wait((arriving, late), return_when=asyncio.FIRST_COMPLETED)
            if not arriving.done():
                log.error("x recording %s goes without having arrived at its storage", recording.id)
            else:
                arriving.result()  # raises what went wrong: then it stays
        finally:
            arriving.cancel()
            late.cancel()
            await asyncio.gather(arriving, late, return_exceptions=True)
        await self._until(recording.expired_at + self._keep_s)
        await self.remove_or_say(recording)

    def _ended(self, recording_id: str, task: asyncio.Task[None]) -> None:
        self._staying.pop(recording_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("x recording %s stays until the next start", recording_id, exc_info=error)

    async def _until(self, then: float) -> None:
        await self._sleep(max(0.0, then - self._now()))
