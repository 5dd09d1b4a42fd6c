"""All recordings of a server on its disk: their files made, listed, uploaded, and removed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from bridge.core.ports import OutputFile
from bridge.errors import BadInput, NoRoom
from bridge.outputs.adoption import NotAdopted, adopt
from bridge.outputs.file_making import FileMaking
from bridge.outputs.follow_wire import (
    FILES_FOLDER,
    MANIFEST,
    Finished,
    FollowPlan,
    PicturePlan,
    ProgramForm,
    SoundForm,
)
from bridge.outputs.kept_file import PART
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.shelf_files import Said, all_files, media_type_of, one_file
from bridge.outputs.uploads import Uploads

log = logging.getLogger(__name__)

PLAN: Final = "plan.json"
_DISK_WITHIN_S: Final = 5.0
_NAME = re.compile(r"[0-9A-Za-z_-]{1,100}")


class _Plan(msgspec.Struct, frozen=True):
    """What was made of a recording, beside it."""

    plan: FollowPlan
    stretches: int
    """It has when all files were whole."""


@dataclass(frozen=True, slots=True)
class ShelfSettings:
    """How files are made and kept."""

    h264: bool = True
    picture: PicturePlan | None = PicturePlan()
    finish_after_s: float = 600.0
    """A stopped recording's files are made whole after so long without a further stretch."""
    least_free_bytes: int = 16 << 20
    """With less room on the disk no recording is begun by somebody."""
    keep_uploaded_s: float | None = None
    """Uploaded files stay here for so long; None: as long as their conference."""


@dataclass(slots=True)
class _Kept:
    recording: str
    making: FileMaking | None = None
    storage: str = ""
    finishing: asyncio.TimerHandle | None = None
    work: set[asyncio.Task[None]] = field(default_factory=set)
    """What is being done for it beside."""


class RecordShelf:
    """On the event loop's thread; disk work that may take time is done in others.

    `uploads` and `storages` (the names of places, the first is the default one) may be left out.
    """

    def __init__(
        self,
        root: Path,
        writer: RecordWriter,
        settings: ShelfSettings | None = None,
        *,
        uploads: Uploads | None = None,
        storages: tuple[str, ...] = (),
        title: Callable[[str], str] = lambda recording: "",
    ) -> None:
        self._root = root
        self._writer = writer
        self._settings = settings or ShelfSettings()
        self._uploads = uploads
        self._storages = storages
        self._title = title
        self._kept: dict[str, _Kept] = {}
        self._past_restarts = 0

    async def adopt(self) -> list[str]:
        """Close what a crash left open; gives the ids of those recordings."""
        found = await asyncio.to_thread(lambda: list(adopt(self._root)))
        for one in found:
            if isinstance(one, NotAdopted):
                log.error("x recording %s cannot be closed: %s", one.recording, one.why)
        return [one.recording for one in found if not isinstance(one, NotAdopted)]

    def check(self, storage: str) -> None:
        """Raises BadInput for the name of a storage that there is not."""
        if storage and storage not in self._storages:
            raise BadInput(f"there is no storage {storage[:100]} in this server's configuration")

    async def check_room(self) -> None:
        """Raises NoRoom when hardly anything more can be written."""
        try:
            async with asyncio.timeout(_DISK_WITHIN_S):
                free = (await asyncio.to_thread(shutil.disk_usage, self._root)).free
        except TimeoutError:
            raise NoRoom("the disk of the recordings does not answer") from None
        except OSError as error:
            raise NoRoom(f"the directory of the recordings cannot be used: {error.strerror}") from None
        if free < self._settings.least_free_bytes:
            raise NoRoom("the disk of the recordings is full")

    def follow(
        self, recording: str, formats: tuple[str, ...], participants: bool = False, storage: str = ""
    ) -> None:
        """From now on its files are made, as it grows, until it is removed."""
        kept = self._kept.setdefault(recording, _Kept(recording))
        if kept.finishing is not None:
            kept.finishing.cancel()
            kept.finishing = None
        kept.storage = storage or (self._storages[0] if self._storages else "")
        plan = self._plan(recording, formats, participants)
        old = kept.making
        # One that was told to finish may not read what comes now.
        if old is not None and not old.finishing and old.plan == plan:
            return
        making = kept.making = FileMaking(
            recording, plan, on_finished=lambda finished: self._finished(kept, plan, finished)
        )
        if old is None:
            making.go_on()
        else:
            self._past_restarts += old.restarts
            self._background(kept, self._take_over(kept, old, making))

    async def resume(
        self, recording: str, formats: tuple[str, ...], participants: bool = False, storage: str = ""
    ) -> None:
        """After a restart, of one that is stopped: what is not whole is made so."""
        plan = self._plan(recording, formats, participants)
        if not await asyncio.to_thread(self._is_whole, recording, plan):
            self.follow(recording, formats, participants, storage)
            self.rest(recording)

    def rest(self, recording: str) -> None:
        """It is stopped: unless it goes on soon, its files are made whole."""
        kept = self._kept.get(recording)
        if kept is None or kept.making is None or kept.making.finishing:
            return
        # What is to be uploaded is made whole at once: only then it can go.
        after_s = 0.0 if kept.storage else self._settings.finish_after_s
        kept.finishing = asyncio.get_running_loop().call_later(after_s, kept.making.finish)

    async def settle(self, recording: str, within_s: float) -> bool:
        """Wait until every file has all that was recorded so far; False when that takes longer."""
        kept = self._kept.get(recording)
        if kept is None or kept.making is None:
            return True
        stretches = await asyncio.to_thread(RecordReader(self._root / recording).stretches)
        return not stretches or await kept.making.settled(stretches[-1], within_s)

    @property
    def restarts(self) -> int:
        """Times a process that makes files had to be begun again."""
        return self._past_restarts + sum(kept.making.restarts for kept in self._kept.values() if kept.making)

    def trouble(self, recording: str) -> str:
        """What keeps its files from being made; empty: nothing."""
        kept = self._kept.get(recording)
        return kept.making.trouble if kept is not None and kept.making is not None else ""

    def files(self, recording: str) -> list[OutputFile]:
        """What there is now, but the log. For a thread."""
        return all_files(self._root / recording / FILES_FOLDER, self._said(recording))

    def file(self, recording: str, name: str) -> OutputFile | None:
        """The one of that name, if there is anything in it. For a thread."""
        return one_file(self._root / recording / FILES_FOLDER, name)

    def manifest(self, recording: str) -> bytes | None:
        """As it was last written; None: not yet."""
        try:
            return (self._root / recording / MANIFEST).read_bytes()
        except OSError:
            return None

    async def remove(self, recording: str) -> None:
        """With everything made of it, and what waits to be uploaded. May be called again."""
        kept = self._kept.pop(recording, None)
        if kept is not None and kept.finishing is not None:
            kept.finishing.cancel()
        if kept is not None and kept.making is not None:
            self._past_restarts += kept.making.restarts
            await kept.making.stop()
            await asyncio.gather(*kept.work, return_exceptions=True)
        self._writer.forget(recording)
        if self._uploads is not None:
            await self._uploads.forget(recording)
        if _NAME.fullmatch(recording):
            await asyncio.to_thread(_remove, self._root / recording)

    async def close(self) -> None:
        """Nobody works at files any more; the next start goes on."""
        all_of_them = [*self._kept.values()]
        self._kept.clear()
        for kept in all_of_them:
            if kept.finishing is not None:
                kept.finishing.cancel()
        await asyncio.gather(*(kept.making.stop() for kept in all_of_them if kept.making is not None))
        await asyncio.gather(*(task for kept in all_of_them for task in kept.work), return_exceptions=True)

    # --- inside ---

    def _plan(self, recording: str, formats: tuple[str, ...], participants: bool) -> FollowPlan:
        program: list[ProgramForm] = []
        alone: list[SoundForm] = []
        for name in dict.fromkeys(formats):
            match name:
                case "mp4":
                    program.append("mp4")
                    alone.append("m4a")
                case "wav" | "flac" | "ogg":
                    program.append(name)
                    alone.append(name)
                case "hls":
                    program.append("hls-ts")
        settings = self._settings
        return FollowPlan(
            str((self._root / recording).absolute()),
            tuple(program),
            tuple(alone) if participants else (),
            ("wav",) if "stereo" in formats else (),
            picture=settings.picture,
            h264=settings.h264,
            title=self._title(recording),
            follow=True,
        )

    def _said(self, recording: str) -> Said:
        looks = self._uploads.looks(recording) if self._uploads is not None else []
        said = {look.path: f"{look.stage}: {look.problem}" if look.problem else look.stage for look in looks}
        return lambda path: said.get(path, "")

    def _is_whole(self, recording: str, plan: FollowPlan) -> bool:
        directory = self._root / recording
        try:
            made = msgspec.json.decode((directory / PLAN).read_bytes(), type=_Plan)
        except (OSError, msgspec.DecodeError):
            return False
        return made.plan == plan and made.stretches == len(RecordReader(directory).stretches())

    def _is_there(self, kept: _Kept) -> bool:
        return self._kept.get(kept.recording) is kept

    async def _take_over(self, kept: _Kept, old: FileMaking, making: FileMaking) -> None:
        """One after the other: both give their files the same names."""
        await old.stop()
        if self._is_there(kept) and kept.making is making:
            making.go_on()

    def _finished(self, kept: _Kept, plan: FollowPlan, finished: Finished) -> None:
        log.info("- the files of recording %s are whole", kept.recording)
        self._background(kept, self._after_finish(kept, plan, finished))

    async def _after_finish(self, kept: _Kept, plan: FollowPlan, finished: Finished) -> None:
        directory = self._root / kept.recording
        names = [one.name for one in finished.files if not one.name.endswith(PART)]
        for name in dict.fromkeys([*names, MANIFEST]):
            if self._uploads is None or not kept.storage or not self._is_there(kept):
                break
            key = f"{kept.recording}/{name.removeprefix(FILES_FOLDER + '/')}"
            await self._uploads.put(kept.recording, directory / name, kept.storage, key, media_type_of(name))
        # At last: whoever finds it there after a restart finds everything ordered, too.
        if self._is_there(kept):
            await asyncio.to_thread(_write_plan, directory, _Plan(plan, finished.stretches))

    def _background(self, kept: _Kept, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        kept.work.add(task)
        task.add_done_callback(lambda done: self._ended(kept, done))

    def _ended(self, kept: _Kept, task: asyncio.Task[None]) -> None:
        kept.work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("x what follows a recording failed", exc_info=task.exception())


def _write_plan(directory: Path, made: _Plan) -> None:
    part = directory / f"{PLAN}{PART}"
    part.write_bytes(msgspec.json.encode(made))
    part.replace(directory / PLAN)


def _remove(directory: Path) -> None:
    """The log last: as long as it is there, the rest can be made again."""
    for path in (directory / FILES_FOLDER, directory):
        shutil.rmtree(path, ignore_errors=False) if path.exists() else None
    parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
