"""Storages of recordings' own, and what becomes of recordings whose conference has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bridge.core.ports import OWN_STORAGE, GivenStorage, OutputPort, OutputSpec, RecordingSpec
from bridge.directory import Directory
from bridge.errors import BadInput
from bridge.output_desk import OutputDesk
from bridge.people import Actor, Conference
from bridge.recording_ends import ARRIVE_WITHIN_S, RecordingEnds
from bridge.recordings import Recordings, RecordingWishes
from bridge.records import KeptRecording
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecordings, MemoryRecords
from tests.kit.shelves import MemoryShelf

pytestmark = pytest.mark.unit

BY = Actor.application("app")
SENT = RecordingWishes(storage="bucket")
SECRET = "a-very-secret-key"
OWN = GivenStorage("s3", "calls", access_key="an-id", secret_key=SECRET, session_token=SECRET)


class House:
    """A server's recordings, whose time passes by `pass_time` alone; `again` is a restart."""

    def __init__(self, keep_s: float = 0.0) -> None:
        self.records, self.kept = MemoryRecords(), MemoryRecordings()
        self.shelf = MemoryShelf()
        self.keep_s = keep_s
        self.time = 1_000.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    async def start(self) -> None:
        rooms = Rooms()
        self.outputs: list[RecordingSpec] = []
        self.directory = Directory(self.records, rooms)
        self.desk = OutputDesk(rooms, self.directory, {RecordingSpec: self._make}, lambda: 0, lambda: 0)
        ends = RecordingEnds(self.kept, self.shelf, self.keep_s, now=lambda: self.time, sleep=self._sleep)
        self.recordings = Recordings(
            self.kept, self.directory, self.desk, self.shelf, now=lambda: self.time, ends=ends
        )
        await self.directory.load()
        await self.recordings.load()

    async def stop(self) -> None:
        await self.desk.close()
        await self.recordings.close()
        await self.directory.close()

    async def again(self) -> None:
        await self.stop()
        await self.start()

    async def record(
        self, wishes: RecordingWishes | None = None, storage: GivenStorage | None = None
    ) -> tuple[Conference, KeptRecording]:
        conference = await self.directory.open_conference("app", by=BY)
        return conference, await self.recordings.start(conference, by=BY, wishes=wishes, storage=storage)

    async def end(self, conference: Conference, expired: bool) -> None:
        await self.directory.close_conference(conference, by=BY, expired=expired)
        await settled()

    async def pass_time(self, seconds: float) -> None:
        self.time += seconds
        for then, event in self.sleepers:
            if then <= self.time:
                event.set()
        await settled()

    def _make(self, port: OutputPort, spec: OutputSpec) -> Notes:
        assert isinstance(spec, RecordingSpec)
        self.outputs.append(spec)
        return Notes(port, spec)

    async def _sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self.sleepers.append((self.time + seconds, event))
        if seconds > 0:
            await event.wait()


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.start()
    yield house
    await house.stop()


# --- whose conference expired ---


async def test_what_is_to_be_uploaded_has_arrived_before_it_goes(house: House) -> None:
    conference, recording = await house.record(SENT)
    await house.end(conference, expired=True)
    assert house.shelf.over == {recording.id}
    assert house.shelf.removed == []
    assert house.kept.kept[recording.id].expired_at == 1_000.0
    house.shelf.arrived.set()
    await settled()
    assert house.shelf.removed == [recording.id]
    assert house.kept.kept == {}


async def test_what_goes_nowhere_goes_at_once(house: House) -> None:
    conference, recording = await house.record()
    await house.end(conference, expired=True)
    assert house.shelf.removed == [recording.id]
    assert house.kept.kept == {}


async def test_a_conference_that_is_deleted_takes_its_recording_along_although_it_has_not_arrived(
    house: House,
) -> None:
    conference, recording = await house.record(SENT)
    await house.end(conference, expired=False)
    assert house.shelf.removed == [recording.id]
    assert house.kept.kept == {}


async def test_the_operator_says_how_long_it_stays() -> None:
    house = House(keep_s=3600)
    await house.start()
    first, recording = await house.record()
    second, sent = await house.record(SENT)
    await house.end(first, expired=True)
    await house.end(second, expired=True)
    house.shelf.arrived.set()
    await house.pass_time(3599)
    assert house.shelf.removed == []
    await house.pass_time(2)
    assert house.shelf.removed == [recording.id, sent.id]
    await house.stop()


async def test_what_never_arrives_goes_after_a_week(house: House) -> None:
    conference, recording = await house.record(SENT)
    await house.end(conference, expired=True)
    await house.pass_time(ARRIVE_WITHIN_S - 1)
    assert house.shelf.removed == []
    await house.pass_time(2)
    assert house.shelf.removed == [recording.id]


async def test_over_a_restart_it_goes_on_arriving(house: House) -> None:
    conference, recording = await house.record(SENT)
    await house.end(conference, expired=True)
    await house.again()
    assert house.shelf.removed == []
    assert house.shelf.followed[recording.id] == SENT
    assert recording.id in house.shelf.over
    assert house.shelf.known == [recording.id]
    await house.pass_time(ARRIVE_WITHIN_S - 10)
    await house.again()
    await house.pass_time(20)
    assert house.shelf.removed == [recording.id]


async def test_a_kill_just_as_its_conference_expires_changes_nothing() -> None:
    """The database has both in one stroke; of what follows nothing may have happened."""
    house = House()
    expired = KeptRecording(
        "r-1", "gone", "app", 900.0, 1, wanted=True, wishes={"storage": "bucket"}, expired_at=999.0
    )
    deleted = replace(expired, id="r-2", conference_id="gone-too", expired_at=0.0)
    house.kept.kept = {"r-1": expired, "r-2": deleted}
    await house.start()
    assert house.shelf.removed == ["r-2"]
    assert house.outputs == []
    house.shelf.arrived.set()
    await settled()
    assert house.shelf.removed == ["r-2", "r-1"]
    await house.stop()


async def test_when_something_breaks_while_it_arrives_it_stays_for_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(recording: str) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(house.shelf, "through", breaks)
        conference, recording = await house.record(SENT)
        await house.end(conference, expired=True)
    assert house.shelf.removed == []
    house.shelf.arrived.set()
    await house.again()
    await settled()
    assert house.shelf.removed == [recording.id]


async def test_one_whose_row_cannot_be_removed_is_said_to_stay(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(recording_id: str) -> None:
        raise RuntimeError("the database is gone")

    conference, recording = await house.record(SENT)
    with monkeypatch.context() as patched:
        patched.setattr(house.kept, "forget_recording", breaks)
        await house.end(conference, expired=True)
        house.shelf.arrived.set()
        await settled()
    assert f"recording {recording.id} stays until the next start" in caplog.text
    assert "the database is gone" in caplog.text
    await house.again()
    await settled()
    assert house.kept.kept == {}


# --- storages of their own ---


async def test_the_keys_are_nowhere_but_with_the_files(house: House) -> None:
    _, recording = await house.record(RecordingWishes(formats=("wav",)), OWN)
    assert house.shelf.own == {recording.id: OWN}
    assert house.shelf.followed[recording.id] == RecordingWishes(formats=("wav",), storage=OWN_STORAGE)
    assert SECRET not in repr(house.kept.kept) + repr(recording) + repr(house.shelf.own)
    await house.again()
    assert house.shelf.followed[recording.id].storage == OWN_STORAGE


async def test_new_keys_to_the_same_storage_are_taken_while_it_runs_and_another_storage_is_not(
    house: House,
) -> None:
    conference, recording = await house.record(storage=OWN)
    fresh = replace(OWN, session_token="of the afternoon", session_expires=2e9)
    assert await house.recordings.start(conference, by=BY, storage=fresh) == recording
    assert house.shelf.own == {recording.id: fresh}
    await house.recordings.start(conference, by=BY, storage=replace(fresh, bucket="elsewhere"))
    assert house.shelf.own == {recording.id: fresh}
    other, without = await house.record()
    await house.recordings.start(other, by=BY, storage=fresh)
    assert without.id not in house.shelf.own


async def test_its_row_is_there_before_its_keys_so_that_they_are_never_nobodys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[bool] = []

    async def keep(recording: str, given: GivenStorage) -> None:
        known.append(recording in house.kept.kept)
        raise OSError("the disk is full")

    monkeypatch.setattr(house.shelf, "keep_storage", keep)
    with pytest.raises(OSError, match="full"):
        await house.record(storage=OWN)
    assert known == [True]
    assert house.outputs == []
    [recording] = house.kept.kept.values()
    assert not recording.wanted


async def test_one_that_may_not_be_used_is_refused_before_anything_is_begun(house: House) -> None:
    with pytest.raises(BadInput, match=r"storage\.bucket"):
        await house.record(storage=replace(OWN, bucket="refused"))
    assert house.kept.kept == {} and house.outputs == []


async def test_what_has_left_for_its_storage_stays_there_and_another_one_is_begun(house: House) -> None:
    conference, first = await house.record(storage=OWN)
    await house.recordings.stop(conference, by=BY)
    house.shelf.left.add(first.id)
    second = await house.recordings.start(conference, by=BY)
    assert second.id != first.id
    assert house.shelf.removed == [first.id]
    assert list(house.kept.kept) == [second.id]
    assert house.shelf.own == {second.id: OWN}
    assert house.shelf.followed[second.id].storage == OWN_STORAGE
    assert house.outputs[-1] == RecordingSpec(second.id, 0)
