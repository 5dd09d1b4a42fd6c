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
from uuid import uuid4

import msgspec

from bridge.background import Background
from bridge.changes import Change, ConferenceClosed
from bridge.core.ports import OWN_STORAGE, GivenStorage, RecordingSpec
from bridge.directory import Directory
from bridge.errors import BridgeError, NoSuchRoom
from bridge.output_desk import OutputDesk, OutputTrouble
from bridge.people import Actor, Conference
from bridge.quota import Limit, Quota
from bridge.recording_ends import RecordingEnds
from bridge.recording_wishes import FileFormat as FileFormat
from bridge.recording_wishes import RecordingWishes as RecordingWishes
from bridge.recording_wishes import wishes_of as wishes_of
from bridge.records import KeptRecording, RecordingRecords
from bridge.shelf_port import Shelf

log = logging.getLogger(__name__)


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
        ends: RecordingEnds | None = None,
    ) -> None:
        """`ends`: what becomes of them when their conference ends; it has the same records and shelf."""
        self._records = records
        self._directory = directory
        self._desk = desk
        self.shelf = shelf
        self._now = now
        self._ends = ends or RecordingEnds(records, shelf, now=now)
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
        kept = await self._records.load_recordings()
        await self.shelf.forget_others([recording.id for recording in kept])
        for recording in kept:
            conference = self._directory.find(recording.conference_id)
            if conference is not None:
                self._by_conference[conference.id] = recording
            if conference is not None and recording.wanted:
                await self._go_on(conference)
            elif conference is not None:
                await self._resume(recording)
            elif self._ends.stays(recording):
                await self._resume(recording)
                self._ends.keep(recording)
            else:
                await self._ends.remove_or_say(recording)

    async def start(
        self,
        conference: Conference,
        *,
        by: Actor,
        wishes: RecordingWishes | None = None,
        storage: GivenStorage | None = None,
    ) -> KeptRecording:
        """Begin or resume; while it runs nothing happens, but that new keys to its own storage are taken.

        `wishes` hold for the whole recording, with what was recorded before; without any, what was wished for
        then. `storage` is its own, in place of a configured one. Raises NoSuchRoom, Draining, LimitReached,
        NoRoom, BadInput. After a restart neither limits nor a full disk keep what was being recorded from
        going on: its writer tells, and waits for room.
        """
        if storage is not None:
            wishes = msgspec.structs.replace(wishes or RecordingWishes(), storage=OWN_STORAGE)
        if wishes is not None:
            await self.shelf.check(wishes.files, storage or wishes.storage)
        async with self._lock(conference.id):
            there = self._by_conference.get(conference.id)
            if there is not None and self._desk.look(there.id) is not None:
                if storage is not None:
                    await self._renew_keys(there, storage)
                return there
            if self._directory.find(conference.id) is None:
                raise NoSuchRoom("no such conference")
            if there is not None and not await self.shelf.take_back(there.id):
                # It lies in its storage, and stays there as it is; what follows is another one.
                if wishes is None:
                    wishes, storage = wishes_of(there), await self.shelf.own_storage(there.id)
                await self._ends.remove(there)
                del self._by_conference[conference.id]
                there = None
            recording = there or self._new(conference)
            if by.kind != "system":
                await self.shelf.check_room()
            self._hold(recording, enforce=by.kind != "system")
            if wishes is not None:
                recording = replace(recording, wishes=msgspec.to_builtins(wishes))
            recording = await self._begin(conference, recording, storage)
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
            self._directory.note_recording(conference.id, False, by=by)
            await self._let_rest(recording)
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
        await self._ends.close()

    # --- inside ---

    def _lock(self, conference_id: str) -> asyncio.Lock:
        return self._locks.setdefault(conference_id, asyncio.Lock())

    async def _go_on(self, conference: Conference) -> None:
        try:
            await self.start(conference, by=Actor.system())
        except (BridgeError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            log.error("x recording could not be taken up again: %s", said, extra={"room": conference.id})

    async def _begin(
        self, conference: Conference, recording: KeptRecording, storage: GivenStorage | None
    ) -> KeptRecording:
        """Its next stretch; gives it as it is then. It has its place, which it keeps only when that works."""
        begun = replace(recording, stretches=recording.stretches + 1, wanted=True)
        try:
            await self._records.keep_recording(begun)
        except BaseException:
            self._free(recording)
            raise
        self._by_conference[conference.id] = begun
        try:
            if storage is not None:  # after its row: what has none is nobody's
                await self.shelf.keep_storage(begun.id, storage)
            await self._desk.start(conference, begun.id, RecordingSpec(begun.id, recording.stretches))
        except BaseException:
            await self._let_rest(begun)
            raise
        wishes = wishes_of(begun)
        self.shelf.follow(begun.id, wishes.files, wishes.storage)
        return begun

    async def _renew_keys(self, recording: KeptRecording, storage: GivenStorage) -> None:
        """Where its files go is not changed by that."""
        known = await self.shelf.own_storage(recording.id)
        if known is not None and known.without_keys() == storage.without_keys():
            await self.shelf.keep_storage(recording.id, storage)

    async def _let_rest(self, recording: KeptRecording) -> None:
        """It is not recorded any more, and after a restart neither; a later start goes on with it."""
        self._free(recording)
        self.shelf.rest(recording.id)
        resting = replace(recording, wanted=False)
        await self._records.keep_recording(resting)
        self._by_conference[recording.conference_id] = resting

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

    def _new(self, conference: Conference) -> KeptRecording:
        return KeptRecording(str(uuid4()), conference.id, conference.application_id, self._now())

    async def _resume(self, recording: KeptRecording) -> None:
        wishes = wishes_of(recording)
        await self.shelf.resume(recording.id, wishes.files, wishes.storage)

    def _changed(self, change: Change) -> None:
        if isinstance(change, ConferenceClosed):
            self._background.start(self._end(change.conference_id, change.expired))

    async def _end(self, conference_id: str, expired: bool) -> None:
        async with self._lock(conference_id):
            recording = self._by_conference.pop(conference_id, None)
            if recording is not None:
                await self._desk.stop(recording.id, "conference ended")
                self._free(recording)
                recording = replace(recording, wanted=False, expired_at=self._now() if expired else 0.0)
                if self._ends.stays(recording):
                    await self._records.keep_recording(recording)
                    self._ends.keep(recording)
                else:
                    await self._ends.remove(recording)
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
