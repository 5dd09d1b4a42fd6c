"""One try to bring a file to its storage: where it goes, how many go at a time, and what is said of failures.

A storage that hangs holds up nobody but its own files, and those only as far as all of its turns are taken:
each configured one has turns of its own; those that requests have named have few each, and share a number
that bounds what they take of this server's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.core.ports import OWN_STORAGE
from bridge.errors import BridgeError
from bridge.outputs.lanes import Lanes
from bridge.outputs.storage import StorageFailed
from bridge.outputs.upload_job import Job, Sent, Target, check_names
from bridge.outputs.upload_orders import is_as_confirmed, stamp

log = logging.getLogger(__name__)

OpenOwn = Callable[[str], Awaitable[Target]]
"""A recording's own storage. Raises BridgeError."""


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """How hard to try, in seconds, and how much at a time."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    backup_after_s: float = 300.0
    """A place that has failed a file for so long is given up for its backup."""
    at_a_time: int = 4
    """Files, to each configured storage."""
    own_at_a_time: int = 2
    """Files, to each storage that a request has named."""
    own_in_all: int = 32
    """Files, to all of those together; each takes 32 MiB at the most while it is on its way."""


class UploadTries:
    """On one event loop."""

    def __init__(
        self,
        places: Mapping[str, Target],
        backups: Mapping[str, str],
        settings: UploadSettings,
        own: OpenOwn | None,
        now: Callable[[], float],
    ) -> None:
        """`backups`: the name of a place → that of the one used when it keeps failing."""
        self._places = places
        self._backups = backups
        self._settings = settings
        self._own = own
        self._now = now
        self._lanes = Lanes(settings.at_a_time)
        self._own_lanes = Lanes(settings.own_at_a_time)
        self._own_in_all = asyncio.Semaphore(settings.own_in_all)
        self._in_a_row: Counter[str] = Counter()
        """Failures of a place since something went well there."""
        self.failed = 0

    def knows(self, place: str) -> bool:
        """Whether anything can be sent there."""
        return place in self._places or (place == OWN_STORAGE and self._own is not None)

    async def open(self, recording: str, place: str) -> Target:
        """Raises BridgeError, KeyError when there is no such place."""
        if place == OWN_STORAGE and self._own is not None:
            return await self._own(recording)
        return self._places[place]

    def place_for(self, job: Job) -> str:
        """The place itself; once that has failed for long, its backup and it in turn."""
        place = job.order.place
        backup = self._backups.get(place, "")
        long = job.failing_since and self._now() - job.failing_since >= self._settings.backup_after_s
        if backup in self._places and (long or place not in self._places) and job.attempts % 2 == 0:
            return backup
        return place if place in self._places or not backup else backup

    async def send(self, job: Job, place: str, others: Callable[[], Collection[Job]]) -> Sent:
        """Back when it is confirmed. `others`: the recording's jobs, which a playlist may have to wait for.

        Raises NotYet, BridgeError, FileNotFoundError and other OSErrors, KeyError.
        """
        async with self._turn(job.order.recording, place):
            order, path = job.order, Path(job.order.path)
            job.began_as = size, modified_ns = await asyncio.to_thread(stamp, path)
            job.uploading = True
            try:
                if job.is_playlist:
                    content = await asyncio.to_thread(path.read_bytes)
                    check_names(order, content, others())
                    target = await self.open(order.recording, place)
                    md5 = await target.put_content(content, order.key, order.media_type)
                    return Sent(len(content), md5, modified_ns)
                target = await self.open(order.recording, place)
                md5 = await target.put(path, order.key, order.media_type)
                sent = msgspec.structs.replace(order, size=size, md5=md5, modified_ns=modified_ns)
                if not await asyncio.to_thread(is_as_confirmed, path, sent):
                    raise StorageFailed("the file changed while it was uploaded")
                return Sent(size, md5, modified_ns)
            finally:
                job.uploading = False
                job.began_as = None

    def went_well(self, place: str) -> None:
        """Something was confirmed there."""
        self._in_a_row.pop(place, None)

    def went_wrong(self, job: Job, place: str, error: Exception) -> None:
        """Writes down why, and says it now and then."""
        job.attempts += 1
        self.failed += 1
        job.problem = "the place is not configured any more"
        if isinstance(error, BridgeError):
            job.problem = str(error)
        elif isinstance(error, OSError):
            job.problem = f"the file cannot be read: {error.strerror}"
        job.failing_since = job.failing_since or self._now()
        self._in_a_row[place] += 1
        if self._in_a_row[place] in (1, 10) or self._in_a_row[place] % 100 == 0:
            log.warning("x uploads failed (%d in a row): %s", self._in_a_row[place], job.problem)

    @asynccontextmanager
    async def _turn(self, recording: str, place: str) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if place == OWN_STORAGE:
                # First its own turn: who waits for that must not hold one that another could use.
                await stack.enter_async_context(self._own_lanes.lane(recording))
                await stack.enter_async_context(self._own_in_all)
            else:
                await stack.enter_async_context(self._lanes.lane(place))
            yield
