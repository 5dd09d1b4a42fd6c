from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.changes import Change, ConferenceChanged
from bridge.core.ports import OutputPort, OutputSpec, RecordingSpec
from bridge.directory import Directory
from bridge.errors import BadInput, BridgeError, LimitReached, NoRoom, NoSuchRoom
from bridge.output_desk import OutputDesk
from bridge.people import Actor, Conference
from bridge.recording_wishes import WhomWishes
from bridge.recordings import RecordingLimits, Recordings, RecordingWishes
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecordings, MemoryRecords
from tests.kit.shelves import MemoryShelf

pytestmark = pytest.mark.unit

BY = Actor.application("app")


class House:
    """A server's recordings; `again` is a restart, with what it kept."""

    def __init__(self) -> None:
        self.records, self.kept = MemoryRecords(), MemoryRecordings()
        self.shelf = MemoryShelf()
        self.fails: Exception | None = None
        self.limits: RecordingLimits | None = None

    async def start(self) -> None:
        self.outputs: list[tuple[RecordingSpec, Notes]] = []
        self.changes: list[Change] = []
        rooms = Rooms()
        self.directory = Directory(self.records, rooms)
        self.desk = OutputDesk(rooms, self.directory, {RecordingSpec: self._make}, lambda: 0, lambda: 0)
        self.recordings = Recordings(
            self.kept, self.directory, self.desk, self.shelf, now=lambda: 1000.0, limits=self.limits
        )
        await self.directory.load()
        self.directory.subscribe(self.changes.append)
        await self.recordings.load()

    async def stop(self) -> None:
        await self.desk.close()
        await self.recordings.close()
        await self.directory.close()

    async def again(self) -> None:
        await self.stop()
        await self.start()

    def _make(self, port: OutputPort, spec: OutputSpec) -> Notes:
        made = Notes(port, spec)
        made.fails = self.fails
        self.outputs.append((spec, made))
        return made

    async def conference(self) -> Conference:
        return await self.directory.open_conference("app", by=BY)

    def is_recorded(self, conference: Conference) -> bool:
        found = self.directory.find(conference.id)
        return found is not None and found.recording

    @property
    def told(self) -> list[tuple[bool, str]]:
        """What the conference's subscribers were told of recording, and by whom."""
        return [
            (change.after.recording, change.by.kind)
            for change in self.changes
            if isinstance(change, ConferenceChanged)
        ]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.start()
    yield house
    await house.stop()


async def test_a_recording_is_begun_paused_and_resumed_as_one(house: House) -> None:
    conference = await house.conference()
    first = await house.recordings.start(conference, by=BY)
    await house.recordings.stop(conference, by=BY)
    second = await house.recordings.start(conference, by=BY)
    assert first.id == second.id
    assert [spec.stretch for spec, _ in house.outputs] == [0, 1]
    assert house.outputs[0][1].told == [("stopped", "paused")]
    assert house.told == [(True, "application"), (False, "application"), (True, "application")]
    assert list(house.shelf.followed) == [first.id]
    assert not house.shelf.resting
    await house.recordings.stop(conference, by=BY)
    assert house.shelf.resting == {first.id}


async def test_a_storage_that_is_not_there_is_refused(house: House) -> None:
    conference = await house.conference()
    with pytest.raises(BadInput, match="no storage"):
        await house.recordings.start(conference, by=BY, wishes=RecordingWishes(storage="other"))
    assert house.outputs == []


async def test_on_a_full_disk_nothing_is_begun_but_what_was_being_recorded_goes_on(house: House) -> None:
    conference, other = await house.conference(), await house.conference()
    await house.recordings.start(conference, by=BY)
    house.shelf.full = True
    with pytest.raises(NoRoom, match="full"):
        await house.recordings.start(other, by=BY)
    assert not house.is_recorded(other) and house.recordings.find(other.id) is None
    await house.again()
    assert house.is_recorded(conference)


async def test_so_many_run_at_one_time_and_no_more(house: House) -> None:
    house.limits = RecordingLimits(3, 2)
    await house.again()
    ours = [await house.conference() for _ in range(3)]
    theirs = [await house.directory.open_conference("other", by=BY) for _ in range(2)]
    for conference in (*ours[:2], ours[0]):
        await house.recordings.start(conference, by=BY)
    with pytest.raises(LimitReached, match="recordings_per_application = 2"):
        await house.recordings.start(ours[2], by=BY)
    await house.recordings.start(theirs[0], by=BY)
    with pytest.raises(LimitReached, match="recordings = 3"):
        await house.recordings.start(theirs[1], by=BY)
    await house.recordings.stop(ours[0], by=BY)
    await house.recordings.start(ours[2], by=BY)
    await house.directory.close_conference(ours[2], by=BY)
    await house.recordings.close()
    await house.recordings.start(theirs[1], by=BY)
    house.limits = RecordingLimits(1, 1)
    await house.again()
    assert [house.is_recorded(one) for one in (ours[1], *theirs)] == [True] * 3


async def test_one_that_cannot_be_begun_takes_no_place(house: House) -> None:
    house.limits = RecordingLimits(1, 1)
    await house.again()
    conference = await house.conference()
    house.fails = BridgeError("no")
    for _ in range(2):
        with pytest.raises(BridgeError, match="no"):
            await house.recordings.start(conference, by=BY)
    house.fails = None
    await house.recordings.start(conference, by=BY)


async def test_what_cannot_be_removed_does_not_keep_the_server_from_its_work(house: House) -> None:
    lost, kept = await house.conference(), await house.conference()
    recording = await house.recordings.start(lost, by=BY)
    await house.recordings.start(kept, by=BY)
    await house.stop()
    await house.records.remove_conference(lost.id)
    house.shelf.stuck = {recording.id}
    await house.start()
    assert house.is_recorded(kept) and recording.id in house.kept.kept
    house.shelf.stuck = set()
    await house.again()
    assert recording.id not in house.kept.kept


async def test_asking_twice_changes_nothing(house: House) -> None:
    conference = await house.conference()
    await house.recordings.stop(conference, by=BY)
    both = [house.recordings.start(conference, by=BY) for _ in range(2)]
    assert len({one.id for one in await asyncio.gather(*both)}) == 1
    assert len(house.outputs) == 1
    await house.recordings.stop(conference, by=BY)
    await house.recordings.stop(conference, by=BY)
    assert house.told == [(True, "application"), (False, "application")]


async def test_what_was_wished_for_is_kept_and_holds_until_something_else_is(house: House) -> None:
    conference = await house.conference()
    wishes = RecordingWishes(formats=("wav", "flac"), participants=True)
    recording = await house.recordings.start(conference, by=BY, wishes=wishes)
    await house.again()
    assert house.shelf.followed[recording.id] == wishes
    await house.recordings.stop(conference, by=BY)
    await house.recordings.start(conference, by=BY)
    assert house.shelf.followed[recording.id] == wishes


async def test_what_is_wished_for_later_holds_for_the_whole_recording(house: House) -> None:
    """While it runs nothing changes: what is made of it is decided at a beginning."""
    conference = await house.conference()
    heard = WhomWishes(only=("ann",))
    recording = await house.recordings.start(conference, by=BY, wishes=RecordingWishes(("wav",), heard=heard))
    other = RecordingWishes(("mp4", "hls"), channels=2, segment_seconds=15)
    same = await house.recordings.start(conference, by=BY, wishes=other)
    assert (same, house.shelf.followed[recording.id].heard) == (recording, heard)
    await house.recordings.stop(conference, by=BY)
    again = await house.recordings.start(conference, by=BY, wishes=other)
    assert (again.id, again.stretches) == (recording.id, 2)
    assert house.shelf.followed == {recording.id: other}
    await house.again()
    assert house.shelf.followed == {recording.id: other}


async def test_files_that_cannot_be_made_here_are_refused_before_anything_is_begun(house: House) -> None:
    conference = await house.conference()
    house.shelf.h264 = False
    with pytest.raises(BadInput, match=r"H\.264"):
        await house.recordings.start(conference, by=BY, wishes=RecordingWishes(sound=False))
    assert house.outputs == [] and house.recordings.find(conference.id) is None


async def test_one_that_is_stopped_is_not_said_to_run_though_that_could_not_be_kept_in_mind(
    house: House,
) -> None:
    conference = await house.conference()
    await house.recordings.start(conference, by=BY)
    house.kept.broken = OSError("the database is away")
    with pytest.raises(OSError, match="away"):
        await house.recordings.stop(conference, by=BY)
    assert not house.is_recorded(conference)
    house.kept.broken = None
    await house.recordings.stop(conference, by=BY)  # once more, as whoever got an error does
    await house.again()
    assert not house.is_recorded(conference)


async def test_what_was_being_recorded_goes_on_after_a_restart(house: House) -> None:
    conference, other = await house.conference(), await house.conference()
    recording = await house.recordings.start(conference, by=BY)
    await house.recordings.start(other, by=BY)
    await house.recordings.stop(other, by=BY)
    await house.again()
    assert [spec for spec, _ in house.outputs] == [RecordingSpec(recording.id, 1)]
    assert house.is_recorded(conference)
    assert not house.is_recorded(other)
    assert len(house.shelf.resting) == 1


async def test_the_end_of_a_conference_ends_its_recording_and_then_removes_it(house: House) -> None:
    conference = await house.conference()
    recording = await house.recordings.start(conference, by=BY)
    await house.directory.close_conference(conference, by=BY)
    await house.recordings.close()
    assert house.outputs[0][1].told == [("stopped", "conference ended")]
    assert house.shelf.removed == [recording.id]
    assert house.kept.kept == {}
    assert house.recordings.find(conference.id) is None


async def test_a_removal_that_was_cut_off_is_made_up_for_at_the_next_start(house: House) -> None:
    conference = await house.conference()
    recording = await house.recordings.start(conference, by=BY)
    house.shelf.remove_waits = asyncio.Event()
    await house.directory.close_conference(conference, by=BY)
    await asyncio.sleep(0.01)
    left = dict(house.kept.kept)
    assert list(left) == [recording.id]
    # What follows is another server's life, on what the first one left when it was killed.
    other = House()
    other.records, other.kept.kept = house.records, left
    await other.start()
    assert other.shelf.removed == [recording.id]
    assert other.kept.kept == {}
    await other.stop()
    house.shelf.remove_waits.set()


async def test_one_that_cannot_begin_is_not_said_to_run(house: House) -> None:
    conference = await house.conference()
    house.fails = BadInput("no disk")
    with pytest.raises(BadInput):
        await house.recordings.start(conference, by=BY)
    assert house.told == []
    house.fails = None
    await house.again()
    assert house.outputs == []
    await house.recordings.start(conference, by=BY)
    assert house.is_recorded(conference)


async def test_nothing_is_begun_that_could_not_be_kept_in_mind(house: House) -> None:
    conference = await house.conference()
    house.kept.broken = OSError("the database is away")
    with pytest.raises(OSError, match="away"):
        await house.recordings.start(conference, by=BY)
    assert house.outputs == []
    assert house.recordings.find(conference.id) is None


async def test_while_it_is_in_trouble_it_is_not_said_to_run(house: House) -> None:
    conference = await house.conference()
    await house.recordings.start(conference, by=BY)
    house.outputs[0][1].port.report("the disk is full")
    assert not house.is_recorded(conference)
    house.outputs[0][1].port.report("")
    assert house.told == [(True, "application"), (False, "system"), (True, "system")]


async def test_a_conference_that_is_gone_cannot_be_recorded(house: House) -> None:
    conference = await house.conference()
    await house.directory.close_conference(conference, by=BY)
    with pytest.raises(NoSuchRoom):
        await house.recordings.start(conference, by=BY)
    assert house.kept.kept == {}


async def test_a_new_name_does_not_undo_that_it_is_being_recorded(house: House) -> None:
    conference = await house.conference()
    renaming = asyncio.ensure_future(house.directory.change_conference(conference, by=BY, name="New"))
    await asyncio.sleep(0)
    house.directory.note_recording(conference.id, True, by=BY)
    await renaming
    found = house.directory.find(conference.id)
    assert found is not None
    assert (found.name, found.recording) == ("New", True)
