"""All recordings of a server on its disk: their files made, listed, uploaded, and removed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.core.ports import GivenStorage, OutputFile, WantedFiles
from bridge.errors import BadInput, NoRoom
from bridge.outputs.adoption import NotAdopted, adopt
from bridge.outputs.away_file import AwayFile
from bridge.outputs.file_making import FileMaking
from bridge.outputs.follow_wire import FILES_FOLDER, MANIFEST, SO_FAR, Finished, FollowPlan, PicturePlan
from bridge.outputs.kept_file import PART
from bridge.outputs.made_plan import is_made, plan_for, write_made
from bridge.outputs.own_storages import kept_storage
from bridge.outputs.put_away import is_away, put_away
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.shelf_disk import check_free, remove_recording
from bridge.outputs.shelf_files import all_files, one_file
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.shelved_recording import ShelvedRecording

log = logging.getLogger(__name__)

_DISK_WITHIN_S: Final = 5.0
_NAME = re.compile(r"[0-9A-Za-z_-]{1,100}")


@dataclass(frozen=True, slots=True)
class ShelfSettings:
    """How files are made and kept."""

    h264: bool = True
    picture: PicturePlan = PicturePlan()
    """Where a recording says nothing else."""
    finish_after_s: float = 600.0
    """A stopped recording's files are made whole after so long without a further stretch."""
    least_free_bytes: int = 16 << 20
    """With less room on the disk no recording is begun by somebody."""


class RecordShelf:
    """On the event loop's thread; disk work that may take time is done in others.

    Without `storage` recordings stay here.
    """

    def __init__(
        self,
        root: Path,
        writer: RecordWriter,
        settings: ShelfSettings | None = None,
        *,
        storage: ShelfStorage | None = None,
        title: Callable[[str], str] = lambda recording: "",
    ) -> None:
        self._root = root
        self._writer = writer
        self._settings = settings or ShelfSettings()
        self._storage = storage or ShelfStorage(root)
        self._title = title
        self._kept: dict[str, ShelvedRecording] = {}
        self._past_restarts = 0

    async def adopt(self) -> list[str]:
        """Close what a crash left open; gives the ids of those recordings."""
        found = await asyncio.to_thread(lambda: list(adopt(self._root)))
        for one in found:
            if isinstance(one, NotAdopted):
                log.error("x recording %s cannot be closed: %s", one.recording, one.why)
        return [one.recording for one in found if not isinstance(one, NotAdopted)]

    async def check(self, wanted: WantedFiles, storage: str | GivenStorage) -> None:
        """Raises BadInput for files that cannot be made here, and a storage that may not be used."""
        if not wanted.sound and not self._settings.h264:
            raise BadInput("H.264 is switched off on this server: there are no files with a picture alone")
        await self._storage.check(storage)

    async def keep_storage(self, recording: str, given: GivenStorage) -> None:
        """It is that recording's own from now on. Raises BadInput, NoRoom."""
        try:
            await self._storage.keep(recording, given)
        except OSError as error:
            raise NoRoom(f"the directory of the recordings cannot be used: {error.strerror}") from None

    async def own_storage(self, recording: str) -> GivenStorage | None:
        """What `keep_storage` was given for it; None: it has none of its own."""
        return await asyncio.to_thread(kept_storage, self._root / recording)

    def sends(self, storage: str) -> bool:
        """Whether recordings that ask for it go anywhere."""
        return bool(self._storage.name_for(storage))

    async def check_room(self) -> None:
        """Raises NoRoom when hardly anything more can be written."""
        try:
            async with asyncio.timeout(_DISK_WITHIN_S):
                await asyncio.to_thread(check_free, self._root, self._settings.least_free_bytes)
        except TimeoutError:
            raise NoRoom("the disk of the recordings does not answer") from None

    def follow(self, recording: str, wanted: WantedFiles, storage: str = "") -> None:
        """From now on its files are made, as it grows, until it is removed."""
        kept = self._kept.setdefault(recording, ShelvedRecording(recording))
        kept.go_on()
        self._storage.begin(recording, storage)
        plan = self._plan(recording, wanted)
        old = kept.making
        # One that was told to finish may not read what comes now.
        if old is not None and not old.finishing and old.plan == plan:
            return
        making = kept.making = FileMaking(
            recording,
            plan,
            on_finished=lambda finished: self._finished(kept, plan, finished),
            on_progress=lambda: self._storage.progressed(recording),
            on_whole=lambda name: self._storage.made(recording, name),
        )
        if old is None:
            making.go_on()
        else:
            self._past_restarts += old.restarts
            kept.work.start(self._take_over(kept, old, making))

    async def resume(self, recording: str, wanted: WantedFiles, storage: str = "") -> None:
        """After a restart, of one that is stopped: what is not whole is made so, what is not sent is sent."""
        directory = self._root / recording
        if await asyncio.to_thread(is_away, directory):
            try:
                await asyncio.to_thread(put_away, directory)  # the rest of it
            except OSError as error:
                log.error("x recording %s cannot be put away: %s", recording, error.strerror)
            return
        plan = self._plan(recording, wanted)
        if not await asyncio.to_thread(is_made, directory, plan):
            self.follow(recording, wanted, storage)
            self.rest(recording)
            return
        self._storage.begin(recording, storage)
        kept = self._kept.setdefault(recording, ShelvedRecording(recording))
        kept.sending.start(self._send_all(kept))

    async def take_back(self, recording: str) -> bool:
        """It is to go on. False when it has left for its storage, so that it cannot."""
        return await self._storage.take_back(recording)

    def rest(self, recording: str, over: bool = False) -> None:
        """It is stopped: unless it goes on soon, its files are made whole; `over`: it never goes on."""
        kept = self._kept.get(recording)
        if kept is None or kept.making is None or kept.making.finished is not None:
            self._storage.rest(recording)  # as it was before somebody tried to go on
            return
        if kept.making.finishing:
            return
        # What is to be uploaded is made whole at once: only then it can go.
        at_once = over or self._storage.is_sent(recording)
        kept.finish_in(0.0 if at_once else self._settings.finish_after_s)

    async def through(self, recording: str) -> None:
        """Wait until its files are whole, and have arrived where they are sent."""
        kept = self._kept.get(recording)
        if kept is not None and kept.making is not None:
            await kept.making.whole()
        if kept is not None:
            await kept.through()
        await self._storage.done(recording)

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
        said = self._storage.looks(recording)
        found = all_files(self._root / recording / FILES_FOLDER, lambda path: said.get(path, ""))
        return [*found, *self._storage.away_files(recording)]

    def file(self, recording: str, name: str) -> OutputFile | None:
        """The one of that name, if it lies here and there is anything in it. For a thread."""
        return one_file(self._root / recording / FILES_FOLDER, name)

    def away(self, recording: str, name: str) -> AwayFile | None:
        """The one of that name, if it is in its storage only. For a thread."""
        return self._storage.away_file(recording, name)

    def manifest(self, recording: str) -> bytes | None:
        """As it was last written, while it goes on a few seconds ago; None: not yet. Blocks."""
        for name in (SO_FAR, MANIFEST, SO_FAR, MANIFEST):  # the one may just be taken away for the other
            try:
                return (self._root / recording / name).read_bytes()
            except OSError:
                continue
        return None

    async def remove(self, recording: str) -> None:
        """With everything made of it, and what waits to be uploaded. May be called again."""
        kept = self._kept.pop(recording, None)
        if kept is not None:
            await kept.end()
            self._past_restarts += kept.making.restarts if kept.making is not None else 0
        self._writer.forget(recording)
        await self._storage.forget(recording)
        if _NAME.fullmatch(recording):
            await asyncio.to_thread(remove_recording, self._root / recording)

    async def forget_others(self, recordings: Iterable[str]) -> None:
        """Take back what is to be sent of all others than these: they are gone."""
        await self._storage.forget_others(recordings)

    async def close(self) -> None:
        """Nobody works at files any more; the next start goes on."""
        all_of_them = [*self._kept.values()]
        self._kept.clear()
        await asyncio.gather(*(kept.end() for kept in all_of_them))
        await self._storage.close()

    # --- inside ---

    def _plan(self, recording: str, wanted: WantedFiles) -> FollowPlan:
        settings, title = self._settings, self._title(recording)
        directory = self._root / recording
        return plan_for(directory, wanted, picture=settings.picture, h264=settings.h264, title=title)

    def _is_there(self, kept: ShelvedRecording) -> bool:
        return self._kept.get(kept.id) is kept

    async def _take_over(self, kept: ShelvedRecording, old: FileMaking, making: FileMaking) -> None:
        """One after the other: both give their files the same names."""
        await old.stop()
        if self._is_there(kept) and kept.making is making:
            making.go_on()

    def _finished(self, kept: ShelvedRecording, plan: FollowPlan, finished: Finished) -> None:
        log.info("- the files of recording %s are whole", kept.id)
        kept.sending.start(self._after_finish(kept, plan, finished))

    async def _after_finish(self, kept: ShelvedRecording, plan: FollowPlan, finished: Finished) -> None:
        making = kept.making
        names = [one.name for one in finished.files if not one.name.endswith(PART)]
        await self._storage.send(kept.id, [*names, MANIFEST])
        # At last: whoever finds it there after a restart finds everything ordered, too.
        if self._is_there(kept):
            writing = asyncio.to_thread(write_made, self._root / kept.id, plan, finished.stretches)
            # A thread cannot be given up: whoever removes the directory waits for it.
            await asyncio.shield(kept.work.start(writing))
        if self._is_there(kept) and kept.making is making:
            self._storage.rest(kept.id)

    async def _send_all(self, kept: ShelvedRecording) -> None:
        await self._storage.send_all(kept.id)
        if self._is_there(kept) and kept.making is None:
            self._storage.rest(kept.id)
