from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.core.ports import CloseReason, OutputPort, OutputSpec, RecordingSpec
from bridge.directory import Directory
from bridge.errors import BadInput, Draining, NoSuchRoom
from bridge.output_desk import OutputDesk, OutputTrouble
from bridge.people import Actor, Conference, Participant
from bridge.switch_events import Talking
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit

BY = Actor.system()
SPEC = RecordingSpec("r-1", 0)


class House:
    def __init__(self) -> None:
        self.rooms = Rooms()
        self.directory = Directory(MemoryRecords(), self.rooms)
        self.made: list[Notes] = []
        self.fails: Exception | None = None
        self.hold_start: asyncio.Event | None = None
        self.troubles: list[OutputTrouble] = []

    async def open(self) -> None:
        await self.directory.load()
        self.desk = OutputDesk(
            self.rooms, self.directory, {RecordingSpec: self._make}, lambda: 7, lambda: 7_000
        )
        self.desk.subscribe(self.troubles.append)
        self.conference = await self.directory.open_conference("app", by=BY)

    def _make(self, port: OutputPort, spec: OutputSpec) -> Notes:
        self.made.append(Notes(port, spec))
        self.made[-1].fails = self.fails
        self.made[-1].hold_start = self.hold_start
        return self.made[-1]

    async def person(self, name: str, online: bool = True) -> Participant:
        person, _ = await self.directory.add_participant(self.conference, by=BY, name=name)
        if online:
            self.rooms.up(self.conference.id, person.id)
        return person


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.open()
    yield house
    await house.desk.close()
    await house.directory.close()


async def test_an_output_is_told_who_is_there_who_comes_goes_talks_and_is_renamed(house: House) -> None:
    ann, away = await house.person("Ann"), await house.person("Zoë", online=False)
    await house.desk.start(house.conference, "o", SPEC)
    bob = await house.person("Bob")
    room = house.conference.id
    house.rooms.emit(Talking(room, bob.id, "primary", True, 40))
    house.rooms.emit(Talking(room, bob.id, "secondary", True))
    await house.directory.change_participant(bob, by=BY, name="Robert")
    await house.directory.change_participant(away, by=BY, name="Zoe")
    await house.rooms.disconnect(room, ann.id, CloseReason.HANGUP)
    await house.directory.remove_participant(bob, by=BY)
    assert house.made[0].told == [
        ("joined", ann.id, "Ann"),
        ("joined", bob.id, "Bob"),
        ("talked", bob.id, True, 40),
        ("named", bob.id, "Robert"),
        ("left", ann.id),
        ("left", bob.id),
    ]


async def test_one_that_begins_is_told_who_is_talking_already(house: House) -> None:
    ann, bob, eve = [await house.person(name) for name in ("Ann", "Bob", "Eve")]
    room = house.conference.id
    for person in (ann, bob, eve):
        house.rooms.emit(Talking(room, person.id, "primary", True))
    house.rooms.emit(Talking(room, ann.id, "primary", False))
    await house.rooms.disconnect(room, eve.id, CloseReason.HANGUP)
    await house.desk.start(house.conference, "o", SPEC)
    assert house.made[0].told == [
        ("joined", ann.id, "Ann"), ("joined", bob.id, "Bob"), ("talked", bob.id, True, 0)
    ]  # fmt: skip
    await house.directory.remove_participant(bob, by=BY)
    house.rooms.up(room, eve.id)
    await house.desk.start(house.conference, "p", SPEC)
    assert ("talked", eve.id, True, 0) not in house.made[1].told
    await house.directory.close_conference(house.conference, by=BY)
    assert house.desk._talking == {}


async def test_other_conferences_are_none_of_its_business(house: House) -> None:
    await house.desk.start(house.conference, "o", SPEC)
    other = await house.directory.open_conference("app", by=BY)
    person, _ = await house.directory.add_participant(other, by=BY, name="Eve")
    house.rooms.up(other.id, person.id)
    assert house.made[0].told == []


async def test_stop_returns_when_it_is_through_and_nothing_is_told_meanwhile(house: House) -> None:
    ann = await house.person("Ann")
    await house.desk.start(house.conference, "o", SPEC)
    output = house.made[0]
    output.hold = asyncio.Event()
    stopping = [asyncio.ensure_future(house.desk.stop("o", "stopped")) for _ in range(2)]
    await asyncio.sleep(0)
    house.rooms.emit(Talking(house.conference.id, ann.id, "primary", True, 0))
    assert not any(task.done() for task in stopping)
    assert house.desk.look("o") is not None
    output.hold.set()
    await asyncio.gather(*stopping)
    assert output.told == [("joined", ann.id, "Ann"), ("stopped", "stopped")]
    assert house.desk.look("o") is None
    await house.desk.stop("o", "stopped")


async def test_the_end_of_a_conference_ends_its_outputs(house: House) -> None:
    await house.desk.start(house.conference, "o", SPEC)
    await house.directory.close_conference(house.conference, by=BY)
    await house.desk.close()
    assert house.made[0].told == [("stopped", "conference ended")]


async def test_one_that_cannot_begin_leaves_nothing_behind(house: House) -> None:
    house.fails = BadInput("no")
    with pytest.raises(BadInput):
        await house.desk.start(house.conference, "o", SPEC)
    assert house.desk.looks() == []
    house.fails = None
    await house.desk.start(house.conference, "o", SPEC)
    with pytest.raises(ValueError, match="of that id"):
        await house.desk.start(house.conference, "o", SPEC)


async def test_a_conference_that_ends_while_one_begins_has_none(house: House) -> None:
    house.hold_start = asyncio.Event()
    starting = asyncio.ensure_future(house.desk.start(house.conference, "o", SPEC))
    await asyncio.sleep(0)
    await house.directory.close_conference(house.conference, by=BY)
    house.hold_start.set()
    with pytest.raises(NoSuchRoom):
        await starting
    await house.desk.close()
    assert house.made[0].told == [("stopped", "conference ended")]


async def test_nothing_begins_in_a_gone_conference_or_while_the_server_goes_down(house: House) -> None:
    gone = Conference("gone", "app", "", house.conference.layout, 0, 0)
    with pytest.raises(NoSuchRoom):
        await house.desk.start(gone, "o", SPEC)
    house.rooms.draining = True
    with pytest.raises(Draining):
        await house.desk.start(house.conference, "p", SPEC)


async def test_trouble_is_passed_on_until_it_ends(house: House) -> None:
    await house.desk.start(house.conference, "o", SPEC)
    port = house.made[0].port
    port.report("the disk is full")
    port.report("")
    await house.desk.stop("o", "stopped")
    port.report("too late")
    assert [(one.output_id, one.text) for one in house.troubles] == [("o", "the disk is full"), ("o", "")]


async def test_when_an_output_began_and_when_its_trouble_began_is_known(house: House) -> None:
    house.desk._now = lambda: 100.0
    await house.desk.start(house.conference, "r-1", SPEC)
    assert house.desk.changed_at("r-1") == 100.0
    for at, trouble, changed_at in ((110, "full", 110), (120, "gone", 110), (130, "", 130), (140, "", 130)):
        house.desk._now = lambda at=at: at  # type: ignore[misc]
        house.made[0].port.report(trouble)
        assert house.desk.changed_at("r-1") == changed_at
    await house.desk.stop("r-1", "stopped")
    assert house.desk.changed_at("r-1") is None
