"""The recordings of all conferences: begun, stopped, taken up again after a restart, removed with theirs.

A conference has at most one; stopping and starting is a pause in it. What was heard is kept by an output; a
shelf has the files and makes those that were asked for. A row in the store is there before the first file and
until the last one is gone, so that a restart in the middle of anything leaves neither orphans nor gaps.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol
from uuid import uuid4

import msgspec

from bridge.background import Background
from bridge.changes import Change, ConferenceClosed
from bridge.core.ports import OutputFile, RecordingSpec
from bridge.directory import Directory
from bridge.errors import BridgeError, NoSuchRoom
from bridge.output_desk import OutputDesk, OutputTrouble
from bridge.people import Actor, Conference
from bridge.quota import Limit, Quota
from bridge.records import KeptRecording, RecordingRecords

log = logging.getLogger(__name__)

FileFormat = Literal["mp4", "wav", "flac", "ogg", "stereo", "hls"]


class RecordingWishes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which files are to be made of a recording. Everybody's sound is kept in any case."""

    formats: tuple[FileFormat, ...] = ("mp4",)
    """Of the program; `stereo` has a side for each of two people, `hls` can be played as it goes."""
    participants: bool = False
    """The same of each participant alone."""
    storage: str = ""
    """The name of a storage in the configuration; empty: the first one, or this machine."""


class Shelf(Protocol):
    """Where recordings lie, and who makes their files. It may be slow; it never raises for a known one."""

    async def adopt(self) -> list[str]:
        """Close what a crash left open; gives the ids of those recordings."""

    def check(self, storage: str) -> None:
        """Raises BadInput for the name of a storage that there is not."""

    async def check_room(self) -> None:
        """Raises NoRoom when hardly anything more can be written."""

    def follow(self, recording: str, formats: tuple[str, ...], participants: bool, storage: str) -> None:
        """From now on its files are made, as it grows."""

    async def resume(
        self, recording: str, formats: tuple[str, ...], participants: bool, storage: str
    ) -> None:
        """After a restart, of one that is stopped: what is not whole is made so."""

    def rest(self, recording: str) -> None:
        """It is stopped: unless it goes on soon, its files are made whole."""

    async def settle(self, recording: str, within_s: float) -> bool:
        """Wait until every file has all that was recorded so far; False when that takes longer."""

    def trouble(self, recording: str) -> str:
        """What keeps its files from being made; empty: nothing."""

    def files(self, recording: str) -> list[OutputFile]:
        """What there is now. Reads directories: for a thread, as the next two."""

    def file(self, recording: str, name: str) -> OutputFile | None:
        """The one of that name, if there is anything in it."""

    def manifest(self, recording: str) -> bytes | None:
        """What is in it, when it was paused and what is missing, as JSON; None: not yet."""

    async def remove(self, recording: str) -> None:
        """With everything made of it, here and on its way elsewhere."""


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """How many may run at one time."""

    recordings: int = 200
    recordings_per_application: int = 100


class Recordings:
    """Order of calls: `load` after the directory's, then the verbs, then `close`."""

    def __init__(
        self,
        records: RecordingRecords,
        directory: Directory,
        desk: OutputDesk,
        shelf: Shelf,
        now: Callable[[], float] = time.time,
        limits: RecordingLimits | None = None,
    ) -> None:
        self._records = records
        self._directory = directory
        self._desk = desk
        self.shelf = shelf
        self._now = now
        self._limits = limits or RecordingLimits()
        self._quota = Quota()
        self._holding: set[str] = set()
        """Recordings that have their place in the quota."""
        self._by_conference: dict[str, KeptRecording] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._background = Background(log, "a recording could not be removed")
        directory.subscribe(self._changed)
        desk.subscribe(self._troubled)

    async def load(self) -> None:
        """Close what a crash left open, remove what is nobody's, and go on with what was being recorded."""
        for recording_id in await self.shelf.adopt():
            log.warning("- recording %s was cut off by the end of the server, and is closed", recording_id)
        for recording in await self._records.load_recordings():
            conference = self._directory.find(recording.conference_id)
            if conference is None:
                await self._remove_later(recording)
                continue
            self._by_conference[conference.id] = recording
            if recording.wanted:
                await self._go_on(conference)
            else:
                wishes = wishes_of(recording)
                await self.shelf.resume(recording.id, wishes.formats, wishes.participants, wishes.storage)

    async def start(
        self, conference: Conference, *, by: Actor, wishes: RecordingWishes | None = None
    ) -> KeptRecording:
        """Begin or resume; nothing happens while it runs.

        Raises NoSuchRoom, Draining, LimitReached, NoRoom, BadInput. After a restart neither limits nor a
        full disk keep what was being recorded from going on: its writer tells, and waits for room.
        """
        if wishes is not None:
            self.shelf.check(wishes.storage)
        async with self._lock(conference.id):
            recording = self._by_conference.get(conference.id)
            if recording is not None and self._desk.look(recording.id) is not None:
                return recording
            if self._directory.find(conference.id) is None:
                raise NoSuchRoom("no such conference")
            if recording is None:
                recording = KeptRecording(str(uuid4()), conference.id, conference.application_id, self._now())
            asked = by.kind != "system"
            if asked:
                await self.shelf.check_room()
            self._hold(recording, enforce=asked)
            stretch = recording.stretches
            if wishes is not None:
                recording = replace(recording, wishes=msgspec.to_builtins(wishes))
            recording = replace(recording, stretches=stretch + 1, wanted=True)
            try:
                await self._records.keep_recording(recording)
            except BaseException:
                self._free(recording)
                raise
            self._by_conference[conference.id] = recording
            try:
                await self._desk.start(conference, recording.id, RecordingSpec(recording.id, stretch))
            except BaseException:
                self._free(recording)
                recording = replace(recording, wanted=False)
                self._by_conference[conference.id] = recording
                await self._records.keep_recording(recording)
                raise
            wanted = wishes_of(recording)
            self.shelf.follow(recording.id, wanted.formats, wanted.participants, wanted.storage)
            self._directory.note_recording(conference.id, True, by=by)
            log.info("- recording by %s", by.kind, extra={"room": conference.id})
            return recording

    async def stop(self, conference: Conference, *, by: Actor) -> None:
        """End or pause; returns when all that was heard before is safe. Nothing happens while it stands."""
        async with self._lock(conference.id):
            recording = self._by_conference.get(conference.id)
            if recording is None or not recording.wanted:
                return
            await self._desk.stop(recording.id, "paused")
            self._free(recording)
            self.shelf.rest(recording.id)
            recording = replace(recording, wanted=False)
            self._by_conference[conference.id] = recording
            await self._records.keep_recording(recording)
            self._directory.note_recording(conference.id, False, by=by)
            log.info("- recording stopped by %s", by.kind, extra={"room": conference.id})

    def find(self, conference_id: str) -> KeptRecording | None:
        """The conference's; None when it was never recorded."""
        return self._by_conference.get(conference_id)

    def title(self, recording_id: str) -> str:
        """What its conference is called."""
        for conference_id, recording in self._by_conference.items():
            if recording.id == recording_id:
                conference = self._directory.find(conference_id)
                return conference.name if conference else ""
        return ""

    async def close(self) -> None:
        """Wait for what is being removed. The desk ends what is still being recorded."""
        await self._background.close()

    # --- inside ---

    def _lock(self, conference_id: str) -> asyncio.Lock:
        return self._locks.setdefault(conference_id, asyncio.Lock())

    async def _go_on(self, conference: Conference) -> None:
        try:
            await self.start(conference, by=Actor.system())
        except BridgeError as error:
            log.error("x recording could not be taken up again: %s", error, extra={"room": conference.id})

    def _hold(self, recording: KeptRecording, *, enforce: bool) -> None:
        if recording.id not in self._holding:
            self._quota.take(*self._places(recording), enforce=enforce)
            self._holding.add(recording.id)

    def _free(self, recording: KeptRecording) -> None:
        if recording.id in self._holding:
            self._holding.discard(recording.id)
            self._quota.give_back(*self._places(recording))

    def _places(self, recording: KeptRecording) -> tuple[Limit, Limit]:
        limits, application = self._limits, recording.application_id
        return (
            Limit("recordings", limits.recordings),
            Limit("recordings_per_application", limits.recordings_per_application, application),
        )

    async def _remove_later(self, recording: KeptRecording) -> None:
        """Nobody's, and no reason not to serve: what cannot be removed now is tried at the next start."""
        try:
            await self._remove(recording)
        except OSError as error:
            log.error("x recording %s cannot be removed: %s", recording.id, error.strerror)

    async def _remove(self, recording: KeptRecording) -> None:
        await self._desk.stop(recording.id, "conference ended")
        self._free(recording)
        await self.shelf.remove(recording.id)
        await self._records.forget_recording(recording.id)

    def _changed(self, change: Change) -> None:
        if isinstance(change, ConferenceClosed):
            self._background.start(self._forget(change.conference_id))

    async def _forget(self, conference_id: str) -> None:
        async with self._lock(conference_id):
            recording = self._by_conference.pop(conference_id, None)
            if recording is not None:
                await self._remove(recording)
        self._locks.pop(conference_id, None)

    def _troubled(self, trouble: OutputTrouble) -> None:
        recording = self._by_conference.get(trouble.conference_id)
        if recording is None or recording.id != trouble.output_id:
            return
        where = {"room": trouble.conference_id}
        if trouble.text:
            log.error("x recording: %s", trouble.text, extra=where)
        else:
            log.info("- recording goes on", extra=where)
        # What cannot be kept is not being recorded, whatever was asked for.
        self._directory.note_recording(trouble.conference_id, not trouble.text, by=Actor.system())


def wishes_of(recording: KeptRecording) -> RecordingWishes:
    """What was asked for; what this version does not know is left out."""
    try:
        return msgspec.convert(dict(recording.wishes), RecordingWishes)
    except msgspec.ValidationError:
        return RecordingWishes()
