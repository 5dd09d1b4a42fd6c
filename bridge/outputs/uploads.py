"""Files on their way to object storage: a queue that outlives the server.

An order is on the disk before `put` returns, and is taken off when the place has confirmed the file; until
then it is tried again and again, with growing pauses, and at the place's backup once it has failed for long.
Keys are decided by who orders, so that an upload which was cut off and made again arrives once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bridge.outputs.storage import StorageFailed

log = logging.getLogger(__name__)

UploadStage = Literal["waiting", "uploading", "failing", "uploaded", "missing"]
_SUFFIX = ".order"


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file to be uploaded, as it lies on the disk."""

    recording: str
    path: str
    place: str
    key: str
    media_type: str
    since: float
    """When it was ordered, Unix seconds."""
    done_at: float = 0.0
    """When it was confirmed; 0: it was not."""
    done_place: str = ""
    """Where it is: the place or its backup."""


@dataclass(frozen=True, slots=True)
class UploadLook:
    """How an upload goes."""

    path: Path
    stage: UploadStage
    place: str
    attempts: int = 0
    problem: str = ""
    done_at: float = 0.0


class Target(Protocol):
    """`bridge.outputs.storage.Storage`. Raises StorageFailed."""

    async def put(self, path: Path, key: str, media_type: str) -> None: ...


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """How hard to try, in seconds."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    backup_after_s: float = 300.0
    """A place that has failed a file for so long is given up for its backup."""
    at_a_time: int = 4


@dataclass(slots=True)
class _Job:
    order: Order
    file: Path
    attempts: int = 0
    problem: str = ""
    uploading: bool = False
    missing: bool = False
    failing_since: float = 0.0
    task: asyncio.Task[None] | None = None


class Uploads:
    """Use on one event loop: `load`, then the rest, then `close`. Disk work is done in threads."""

    def __init__(
        self,
        directory: Path,
        places: Mapping[str, Target],
        backups: Mapping[str, str] | None = None,
        settings: UploadSettings | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`backups`: the name of a place → that of the one used when it keeps failing."""
        self._directory = directory
        self._places = places
        self._backups = backups or {}
        self._settings = settings or UploadSettings()
        self._sleep = sleep
        self._now = now
        self._jobs: dict[Path, _Job] = {}
        self._slots = asyncio.Semaphore(self._settings.at_a_time)
        self._pauses = random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self.on_done: Callable[[Order], None] = lambda order: None
        """Told of each confirmed file, after it was written down."""
        self.uploaded = 0
        self.failed_attempts = 0

    async def load(self) -> None:
        """Take up what is not through. What cannot be read is left lying, and said."""
        for order, file in await asyncio.to_thread(_read_orders, self._directory):
            self._begin(order, file)

    async def put(self, recording: str, path: Path, place: str, key: str, media_type: str) -> None:
        """Order a file; again, it is uploaded anew as it is then. Raises OSError, KeyError."""
        if place not in self._places:
            raise KeyError(place)
        order = Order(recording, str(path), place, key, media_type, self._now())
        name = hashlib.sha256(f"{place}\0{key}".encode()).hexdigest()[:32]
        file = self._directory / f"{name}{_SUFFIX}"
        old = self._jobs.pop(file, None)
        if old is not None and old.task is not None:
            old.task.cancel()
            await asyncio.gather(old.task, return_exceptions=True)
        await asyncio.to_thread(_write_order, file, order)
        self._begin(order, file)

    def looks(self, recording: str) -> list[UploadLook]:
        """Of all files of a recording that were ordered. May be called in a thread."""
        return [_look(job) for job in list(self._jobs.values()) if job.order.recording == recording]

    def is_done(self, recording: str) -> bool:
        """Whether everything that was ordered of it is confirmed."""
        return all(job.order.done_at for job in self._jobs.values() if job.order.recording == recording)

    @property
    def waiting(self) -> int:
        """Files that are not through."""
        return sum(not job.order.done_at for job in self._jobs.values())

    async def forget(self, recording: str) -> None:
        """Take back every order of it, and every word of those that are through."""
        jobs = [job for job in self._jobs.values() if job.order.recording == recording]
        for job in jobs:
            self._jobs.pop(job.file, None)
            if job.task is not None:
                job.task.cancel()
        await asyncio.gather(*(job.task for job in jobs if job.task is not None), return_exceptions=True)
        await asyncio.to_thread(_remove_orders, self._directory, [job.file for job in jobs])

    async def close(self) -> None:
        """Stop where it is; `load` goes on from there."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- inside ---

    def _begin(self, order: Order, file: Path) -> None:
        job = self._jobs[file] = _Job(order, file)
        if not order.done_at:
            job.task = asyncio.create_task(self._work(job))

    async def _work(self, job: _Job) -> None:
        pause = self._settings.first_pause_s
        while True:
            place = self._place_for(job)
            try:
                async with self._slots:
                    job.uploading = True
                    try:
                        await self._places[place].put(
                            Path(job.order.path), job.order.key, job.order.media_type
                        )
                    finally:
                        job.uploading = False
            except FileNotFoundError:
                job.missing, job.problem = True, "the file is gone"
                log.error("x an upload has no file any more: %s", Path(job.order.path).name)
                return
            except (StorageFailed, OSError, KeyError) as error:
                self._failed(job, error)
                await self._sleep(pause * self._pauses.uniform(0.8, 1.2))
                pause = min(2 * pause, self._settings.longest_pause_s)
                continue
            await self._confirm(job, place)
            return

    def _failed(self, job: _Job, error: Exception) -> None:
        job.attempts += 1
        self.failed_attempts += 1
        job.problem = (
            str(error) if isinstance(error, StorageFailed) else "the place is not configured any more"
        )
        if isinstance(error, OSError):
            job.problem = f"the file cannot be read: {error.strerror}"
        job.failing_since = job.failing_since or self._now()
        if job.attempts in (1, 10) or job.attempts % 100 == 0:
            log.warning("x an upload failed (%d times): %s", job.attempts, job.problem)

    def _place_for(self, job: _Job) -> str:
        """The place itself; once that has failed for long, its backup and it in turn."""
        place = job.order.place
        backup = self._backups.get(place, "")
        long = job.failing_since and self._now() - job.failing_since >= self._settings.backup_after_s
        if backup in self._places and (long or place not in self._places) and job.attempts % 2 == 0:
            return backup
        return place if place in self._places or not backup else backup

    async def _confirm(self, job: _Job, place: str) -> None:
        job.order = msgspec.structs.replace(job.order, done_at=self._now(), done_place=place)
        job.problem = ""
        while True:
            try:
                await asyncio.to_thread(_write_order, job.file, job.order)
                break
            except OSError as error:  # a full disk: the file is there, only nobody may remember it yet
                job.problem = f"cannot write down that it arrived: {error.strerror}"
                await self._sleep(self._settings.longest_pause_s)
        job.problem = ""
        self.uploaded += 1
        self.on_done(job.order)


def _look(job: _Job) -> UploadLook:
    stage: UploadStage = "waiting"
    if job.order.done_at:
        stage = "uploaded"
    elif job.missing:
        stage = "missing"
    elif job.uploading:
        stage = "uploading"
    elif job.problem:
        stage = "failing"
    where = job.order.done_place or job.order.place
    return UploadLook(Path(job.order.path), stage, where, job.attempts, job.problem, job.order.done_at)


def _read_orders(directory: Path) -> list[tuple[Order, Path]]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = []
    for file in sorted(directory.glob(f"*{_SUFFIX}")):
        try:
            found.append((msgspec.json.decode(file.read_bytes(), type=Order), file))
        except (OSError, msgspec.DecodeError):
            log.error("x an upload's order cannot be read: %s", file.name)
    return found


def _write_order(file: Path, order: Order) -> None:
    """Whole or not at all, and for good."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(order))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(file)
    _sync(file.parent)


def _remove_orders(directory: Path, files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
    if files:
        _sync(directory)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
