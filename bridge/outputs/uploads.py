"""Files on their way to object storage: a queue that outlives the server.

An order is on the disk before `put` returns, and says that it is through when the place has confirmed the
file; until then it is tried again and again, with growing pauses, and at the place's backup once it has
failed for long. Keys are decided by who orders, so that an upload which was cut off and made again arrives
once. A playlist goes when everything that it names is there.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.core.ports import OWN_STORAGE
from bridge.errors import BridgeError
from bridge.outputs.storage import StorageFailed
from bridge.outputs.upload_job import Job, NotYet, Sent, Target, UploadLook, check_names
from bridge.outputs.upload_orders import (
    Order,
    is_as_confirmed,
    order_file,
    read_orders,
    remove_orders,
    stamp,
    write_order,
)

log = logging.getLogger(__name__)

OpenOwn = Callable[[str], Awaitable[Target]]
"""A recording's own storage. Raises BridgeError."""


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """How hard to try, in seconds."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    backup_after_s: float = 300.0
    """A place that has failed a file for so long is given up for its backup."""
    at_a_time: int = 4


class Uploads:
    """Use on one event loop: `load`, then the rest, then `close`. Disk work is done in threads."""

    def __init__(
        self,
        directory: Path,
        places: Mapping[str, Target],
        backups: Mapping[str, str] | None = None,
        settings: UploadSettings | None = None,
        *,
        own: OpenOwn | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`backups`: the name of a place → that of the one used when it keeps failing."""
        self._directory = directory
        self._places = places
        self._backups = backups or {}
        self._settings = settings or UploadSettings()
        self._own = own
        self._sleep = sleep
        self._now = now
        self._jobs: defaultdict[str, dict[Path, Job]] = defaultdict(dict)
        """Recording → where its orders lie → them."""
        self._slots = asyncio.Semaphore(self._settings.at_a_time)
        self._writing: dict[asyncio.Future[None], tuple[str, Path]] = {}
        """What threads write now → of which recording, and where to."""
        self._arrivals: dict[str, asyncio.Event] = {}
        self._failures: Counter[str] = Counter()
        self._begun = asyncio.Event()
        self._pauses = random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self.on_done: Callable[[Order], None] = lambda order: None
        """Told of each confirmed file, after it was written down."""
        self.uploaded = 0
        self.failed_attempts = 0

    async def load(self, begin: bool = True) -> None:
        """Take up what is not through. What cannot be read is left lying, and said.

        Without `begin` nothing is sent until that is called: what is to be forgotten can be so before.
        """
        if begin:
            self.begin()
        for order, file in await asyncio.to_thread(read_orders, self._directory):
            self._begin(order, file)

    def begin(self) -> None:
        """From now on files are sent."""
        self._begun.set()

    async def put(self, recording: str, path: Path, place: str, key: str, media_type: str) -> None:
        """Order a file; again, it goes anew unless it is what has arrived. Raises OSError, KeyError."""
        if place not in self._places and not (place == OWN_STORAGE and self._own is not None):
            raise KeyError(place)
        order = Order(recording, str(path), place, key, media_type, self._now())
        file = order_file(self._directory, recording, place, key)
        jobs = self._jobs[recording]
        old = jobs.get(file)
        if old is not None and not old.missing and old.order.path == order.path:
            if old.order.done_at and await asyncio.to_thread(is_as_confirmed, path, old.order):
                return
            if not old.order.done_at:
                old.again = True
                stale = old.began_as is not None and old.began_as != await asyncio.to_thread(stamp, path)
                if old.is_playlist or not stale:
                    self._arrived(recording)  # it may name less than what it waits for
                    return  # it goes as it is when its turn comes, or once more after that
        if old is not None and old.task is not None:
            old.task.cancel()
            await asyncio.gather(old.task, return_exceptions=True)
        await self._write(file, order)
        if self._jobs.get(recording) is jobs:
            self._begin(order, file)
        else:  # it was forgotten meanwhile
            await asyncio.to_thread(remove_orders, self._directory, [file])

    def looks(self, recording: str) -> list[UploadLook]:
        """Of all files of a recording that were ordered. May be called in a thread."""
        return [job.look() for job in list(self._of(recording))]

    def is_done(self, recording: str) -> bool:
        """Whether everything that was ordered of it is confirmed."""
        return all(job.order.done_at for job in self._of(recording))

    async def done(self, recording: str) -> None:
        """Wait until everything that was ordered of it is confirmed."""
        while not self.is_done(recording):
            await self._arrival(recording).wait()

    def arrived(self, recording: str) -> list[Order]:
        """What is confirmed of it. May be called in a thread."""
        return [job.order for job in list(self._of(recording)) if job.order.done_at]

    async def target(self, order: Order) -> Target:
        """Where a confirmed file is. Raises BridgeError, KeyError when there is no such place any more."""
        return await self._open(order.recording, order.done_place)

    @property
    def waiting(self) -> int:
        """Files that are not through."""
        return sum(not job.order.done_at for jobs in self._jobs.values() for job in jobs.values())

    def stages(self) -> Counter[str]:
        """How many of those are in which stage."""
        jobs = (job for jobs in self._jobs.values() for job in jobs.values() if not job.order.done_at)
        return Counter(job.look().stage for job in jobs)

    async def forget(self, recording: str) -> None:
        """Take back every order of it, and every word of those that are through."""
        jobs = list(self._jobs.pop(recording, {}).values())
        await _cancel(jobs)
        # What is being written cannot be stopped, and would be there afterwards.
        writing = {done: file for done, (whose, file) in self._writing.items() if whose == recording}
        await asyncio.gather(*writing, return_exceptions=True)
        self._arrivals.pop(recording, None)
        files = {*writing.values(), *(job.file for job in jobs)}
        await asyncio.to_thread(remove_orders, self._directory, files)

    async def forget_others(self, recordings: Collection[str]) -> None:
        """Take back the orders of all recordings but these."""
        for recording in self._jobs.keys() - set(recordings):
            log.warning("- uploads of recording %s, which is gone, are taken back", recording)
            await self.forget(recording)

    async def close(self) -> None:
        """Stop where it is; `load` goes on from there."""
        await _cancel(job for jobs in self._jobs.values() for job in jobs.values())
        await asyncio.gather(*self._writing, return_exceptions=True)

    # --- inside ---

    def _of(self, recording: str) -> Collection[Job]:
        return self._jobs[recording].values() if recording in self._jobs else ()

    def _arrival(self, recording: str) -> asyncio.Event:
        """Set, and another one taken, when a file of it is confirmed."""
        return self._arrivals.setdefault(recording, asyncio.Event())

    def _begin(self, order: Order, file: Path) -> None:
        job = self._jobs[order.recording][file] = Job(order, file)
        if not order.done_at:
            job.task = asyncio.create_task(self._work(job))

    async def _write(self, file: Path, order: Order) -> None:
        while before := [done for done, (_, other) in self._writing.items() if other == file]:
            await asyncio.wait(before)
        writing = asyncio.ensure_future(asyncio.to_thread(write_order, file, order))
        self._writing[writing] = order.recording, file
        writing.add_done_callback(self._written)
        await asyncio.shield(writing)

    def _written(self, writing: asyncio.Future[None]) -> None:
        del self._writing[writing]
        if not writing.cancelled():
            writing.exception()  # whoever waited for it has been told, if anybody has

    async def _open(self, recording: str, place: str) -> Target:
        if place == OWN_STORAGE and self._own is not None:
            return await self._own(recording)
        return self._places[place]

    async def _work(self, job: Job) -> None:
        await self._begun.wait()
        pause = self._settings.first_pause_s
        while True:
            place, arrival = self._place_for(job), self._arrival(job.order.recording)
            job.again = False
            try:
                sent = await self._attempt(job, place)
            except NotYet:
                await arrival.wait()
                continue
            except FileNotFoundError:
                job.missing, job.problem = True, "the file is gone"
                log.error("x an upload has no file any more: %s", Path(job.order.path).name)
                return
            except (BridgeError, OSError, KeyError) as error:
                self._failed(job, place, error)
                await self._sleep(pause * self._pauses.uniform(0.8, 1.2))
                pause = min(2 * pause, self._settings.longest_pause_s)
                continue
            self._failures.pop(place, None)
            await self._confirm(job, place, sent)
            if not job.again or await asyncio.to_thread(is_as_confirmed, Path(job.order.path), job.order):
                self._tell(job)
                return
            job.order = msgspec.structs.replace(job.order, done_at=0.0)
            await self._write(job.file, job.order)

    async def _attempt(self, job: Job, place: str) -> Sent:
        """Raises NotYet, BridgeError, FileNotFoundError and other OSErrors, KeyError."""
        async with self._slots:
            order, path = job.order, Path(job.order.path)
            job.began_as = size, modified_ns = await asyncio.to_thread(stamp, path)
            job.uploading = True
            try:
                if job.is_playlist:
                    content = await asyncio.to_thread(path.read_bytes)
                    check_names(order, content, self._of(order.recording))
                    target = await self._open(order.recording, place)
                    md5 = await target.put_content(content, order.key, order.media_type)
                    return Sent(len(content), md5, modified_ns)
                target = await self._open(order.recording, place)
                md5 = await target.put(path, order.key, order.media_type)
                sent = msgspec.structs.replace(order, size=size, md5=md5, modified_ns=modified_ns)
                if not await asyncio.to_thread(is_as_confirmed, path, sent):
                    raise StorageFailed("the file changed while it was uploaded")
                return Sent(size, md5, modified_ns)
            finally:
                job.uploading = False
                job.began_as = None

    def _failed(self, job: Job, place: str, error: Exception) -> None:
        job.attempts += 1
        self.failed_attempts += 1
        job.problem = "the place is not configured any more"
        if isinstance(error, BridgeError):
            job.problem = str(error)
        elif isinstance(error, OSError):
            job.problem = f"the file cannot be read: {error.strerror}"
        job.failing_since = job.failing_since or self._now()
        self._failures[place] += 1
        if self._failures[place] in (1, 10) or self._failures[place] % 100 == 0:
            log.warning("x uploads failed (%d in a row): %s", self._failures[place], job.problem)

    def _place_for(self, job: Job) -> str:
        """The place itself; once that has failed for long, its backup and it in turn."""
        place = job.order.place
        backup = self._backups.get(place, "")
        long = job.failing_since and self._now() - job.failing_since >= self._settings.backup_after_s
        if backup in self._places and (long or place not in self._places) and job.attempts % 2 == 0:
            return backup
        return place if place in self._places or not backup else backup

    async def _confirm(self, job: Job, place: str, sent: Sent) -> None:
        done = msgspec.structs.replace(
            job.order, done_at=self._now(), done_place=place,
            size=sent.size, md5=sent.md5, modified_ns=sent.modified_ns,
        )  # fmt: skip
        while True:
            try:
                await self._write(job.file, done)
                break
            except OSError as error:  # a full disk: the file is there, only nobody may remember it yet
                job.problem = f"cannot write down that it arrived: {error.strerror}"
                await self._sleep(self._settings.longest_pause_s)
        job.order, job.problem = done, ""

    def _tell(self, job: Job) -> None:
        self.uploaded += 1
        self._arrived(job.order.recording)
        self.on_done(job.order)

    def _arrived(self, recording: str) -> None:
        if (arrival := self._arrivals.pop(recording, None)) is not None:
            arrival.set()


async def _cancel(jobs: Iterable[Job]) -> None:
    tasks = [job.task for job in jobs if job.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
