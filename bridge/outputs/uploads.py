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
from pathlib import Path

import msgspec

from bridge.errors import BridgeError
from bridge.outputs.lanes import Lanes
from bridge.outputs.upload_job import Job, NotYet, Sent, Target, UploadLook
from bridge.outputs.upload_orders import (
    Order,
    is_as_confirmed,
    order_file,
    read_orders,
    remove_orders,
    stamp,
    write_order,
)
from bridge.outputs.upload_tries import OpenOwn, UploadTries
from bridge.outputs.upload_tries import UploadSettings as UploadSettings

log = logging.getLogger(__name__)


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
        self._settings = settings or UploadSettings()
        self._tries = UploadTries(places, backups or {}, self._settings, own, now)
        self._sleep = sleep
        self._now = now
        self._jobs: defaultdict[str, dict[Path, Job]] = defaultdict(dict)
        """Recording → where its orders lie → them."""
        self._not_through: dict[Path, Job] = {}
        self._ordering = Lanes(1)
        """Whoever orders the same file twice at once does it one after the other."""
        self._putting: dict[asyncio.Task[None], str] = {}
        """Orders that are being taken → of which recording."""
        self._writing: dict[asyncio.Future[None], tuple[str, Path]] = {}
        """What threads write now → of which recording, and where to."""
        self._arrivals: dict[str, asyncio.Event] = {}
        self._begun = asyncio.Event()
        self._pauses = random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self.uploaded = 0

    @property
    def failed_attempts(self) -> int:
        """Of all files, since the server began."""
        return self._tries.failed

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
        if not self._tries.knows(place):
            raise KeyError(place)
        order = Order(recording, str(path), place, key, media_type, self._now())
        file = order_file(self._directory, recording, place, key)
        putting = asyncio.create_task(self._put(order, file, self._jobs[recording]))
        self._putting[putting] = recording
        putting.add_done_callback(self._put_is_done)
        # Whoever gives up waiting leaves no order that is on the disk and in nobody's mind.
        await asyncio.shield(putting)

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
        return await self._tries.open(order.recording, order.done_place)

    def stages(self) -> Counter[str]:
        """How many files that are not through are in which stage."""
        return Counter(job.stage for job in self._not_through.values())

    async def forget(self, recording: str) -> None:
        """Take back every order of it, and every word of those that are through."""
        jobs = list(self._jobs.pop(recording, {}).values())
        await _cancel(jobs)
        putting = [task for task, whose in self._putting.items() if whose == recording]
        await asyncio.gather(*putting, return_exceptions=True)  # they find that it is forgotten
        # What is being written cannot be stopped, and would be there afterwards.
        writing = {done: file for done, (whose, file) in self._writing.items() if whose == recording}
        await asyncio.gather(*writing, return_exceptions=True)
        self._arrived(recording)  # there is nothing to wait for any more
        files = {*writing.values(), *(job.file for job in jobs)}
        for file in files:
            self._not_through.pop(file, None)
        await asyncio.to_thread(remove_orders, self._directory, files)

    async def forget_others(self, recordings: Collection[str]) -> None:
        """Take back the orders of all recordings but these."""
        for recording in self._jobs.keys() - set(recordings):
            log.warning("- uploads of recording %s, which is gone, are taken back", recording)
            await self.forget(recording)

    async def close(self) -> None:
        """Stop where it is; `load` goes on from there."""
        await asyncio.gather(*self._putting, return_exceptions=True)
        await _cancel(job for jobs in self._jobs.values() for job in jobs.values())
        await asyncio.gather(*self._writing, return_exceptions=True)

    # --- inside ---

    async def _put(self, order: Order, file: Path, jobs: dict[Path, Job]) -> None:
        async with self._ordering.lane(file.name):
            await self._take(order, file, jobs)

    async def _take(self, order: Order, file: Path, jobs: dict[Path, Job]) -> None:
        old, path = jobs.get(file), Path(order.path)
        if old is not None and not old.missing and old.order.path == order.path:
            if old.order.done_at and await asyncio.to_thread(is_as_confirmed, path, old.order):
                return
            if not old.order.done_at and old.is_going:
                old.again = True
                stale = old.began_as is not None and old.began_as != await asyncio.to_thread(stamp, path)
                if old.is_playlist or not stale:
                    self._arrived(order.recording)  # it may name less than what it waits for
                    return  # it goes as it is when its turn comes, or once more after that
        if old is not None and old.task is not None:
            old.task.cancel()
            await asyncio.gather(old.task, return_exceptions=True)
        if self._jobs.get(order.recording) is not jobs:
            return  # it was forgotten meanwhile
        await self._write(file, order)
        if self._jobs.get(order.recording) is jobs:
            self._begin(order, file)
        else:
            await asyncio.to_thread(remove_orders, self._directory, [file])

    def _put_is_done(self, putting: asyncio.Task[None]) -> None:
        del self._putting[putting]
        if not putting.cancelled():
            putting.exception()  # whoever waited for it has been told, if anybody has

    def _of(self, recording: str) -> Collection[Job]:
        return self._jobs.get(recording, {}).values()

    def _arrival(self, recording: str) -> asyncio.Event:
        """Set, and another one taken, when a file of it is confirmed."""
        return self._arrivals.setdefault(recording, asyncio.Event())

    def _begin(self, order: Order, file: Path) -> None:
        job = self._jobs[order.recording][file] = Job(order, file)
        if not order.done_at:
            self._not_through[file] = job
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

    async def _work(self, job: Job) -> None:
        await self._begun.wait()
        try:
            await self._bring(job)
        except Exception:  # the outer edge: a fault of ours must not make a file's end unknown
            job.problem = "it broke off for a reason that nobody foresaw, and waits for the next start"
            log.exception("x an upload broke off")

    async def _bring(self, job: Job) -> None:
        """Until it is there, and is as it is here."""
        recording, pause = job.order.recording, self._settings.first_pause_s
        while True:
            place, arrival = self._tries.place_for(job), self._arrival(recording)
            job.again = False
            try:
                sent = await self._tries.send(job, place, lambda: self._of(recording))
            except NotYet:
                await arrival.wait()
                continue
            except FileNotFoundError:
                job.missing, job.problem = True, "the file is gone"
                log.error("x an upload has no file any more: %s", Path(job.order.path).name)
                return
            except (BridgeError, OSError, KeyError) as error:
                self._tries.went_wrong(job, place, error)
                await self._sleep(pause * self._pauses.uniform(0.8, 1.2))
                pause = min(2 * pause, self._settings.longest_pause_s)
                continue
            self._tries.went_well(place)
            done = _confirmed(job.order, place, sent, self._now())
            await self._write_down(job, done)
            if await self._has_changed(job, done):
                await self._write_down(job, job.order)
                continue
            # Only now: what is said to be there may be removed here.
            job.order, job.problem = done, ""
            self._not_through.pop(job.file, None)
            self.uploaded += 1
            self._arrived(recording)
            return

    async def _has_changed(self, job: Job, done: Order) -> bool:
        """Whether it was ordered once more, and is another file now than what arrived."""
        while job.again:
            job.again = False
            try:
                if not await asyncio.to_thread(is_as_confirmed, Path(done.path), done):
                    return True
            except OSError:  # the next try says why
                return True
        return False

    async def _write_down(self, job: Job, order: Order) -> None:
        while True:
            try:
                await self._write(job.file, order)
                return
            except OSError as error:  # a full disk: the file is there, only nobody may remember it yet
                job.problem = f"cannot write down that it arrived: {error.strerror}"
                await self._sleep(self._settings.longest_pause_s)

    def _arrived(self, recording: str) -> None:
        if (arrival := self._arrivals.pop(recording, None)) is not None:
            arrival.set()


def _confirmed(order: Order, place: str, sent: Sent, now: float) -> Order:
    return msgspec.structs.replace(
        order, done_at=now, done_place=place, size=sent.size, md5=sent.md5, modified_ns=sent.modified_ns
    )


async def _cancel(jobs: Iterable[Job]) -> None:
    tasks = [job.task for job in jobs if job.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
