"""What all live outputs of a room share, without a process: what its encoder is told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bridge.outputs.live_wire import Levels
from bridge.outputs.record import Record
from bridge.outputs.room_encoder import LEVEL_TICKS, RoomEncoder

pytestmark = pytest.mark.unit


class Encoder:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[Levels] = []
        self.until = 0

    async def start(self) -> None:
        pass

    def passed(self, since: int, until: int, records: list[Record]) -> None:
        self.until = until

    def levels(self, levels: Levels) -> None:
        assert levels.tick >= self.until - 1, "said before the sound of its time"
        self.said.append(levels)


class Room:
    """Its levels are what the test says; ticks pass in `run`."""

    room_id = "room"

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.shared = RoomEncoder("room", "", lambda room, title, trouble: self.encoder)  # type: ignore[arg-type, return-value]
        self.loud: dict[str, int] = {}
        self.asked = 0
        self._tick = 100

    def tick(self) -> int:
        return self._tick

    def sound_ms(self) -> int:
        return 0

    def levels(self) -> Mapping[str, int]:
        self.asked += 1
        return dict(self.loud)

    async def run(self, ticks: int) -> list[dict[str, int]]:
        """What was said of levels meanwhile."""
        before = len(self.encoder.said)
        for _ in range(ticks):
            self._tick += 1
            self.shared.program.send_frame(bytes(1920), True, False)
            await asyncio.sleep(0)
        return [said.levels for said in self.encoder.said[before:]]


@pytest.fixture
async def room() -> Room:
    room = Room()
    for name in ("one", "two"):
        room.shared.enter(name, lambda why: None)
    port: Any = room
    await room.shared.start(port)
    return room


async def test_nobody_is_asked_for_levels_that_nobody_wants(room: Room) -> None:
    room.loud = {"ann": 50}
    assert await room.run(50) == [] and room.asked == 0
    room.shared.watch_levels("one", room.levels)
    assert await room.run(50) == [{"ann": 50}]
    room.shared.leave("one")
    room.loud = {"ann": 60}
    assert await room.run(50) == []


async def test_levels_are_said_when_they_change_and_silence_by_leaving_it_out(room: Room) -> None:
    room.shared.watch_levels("one", room.levels)
    assert await room.run(30) == []
    room.loud = {"ann": 7, "bob": 0}
    assert await room.run(30) == [{"ann": 7}]
    room.loud = {"ann": 0, "bob": 0}
    assert await room.run(30) == [{}]
    assert await room.run(30) == []


async def test_they_are_looked_at_five_times_a_second_however_many_want_them(room: Room) -> None:
    for name in ("one", "two"):
        room.shared.watch_levels(name, room.levels)
    said = 0
    for loudness in range(50):
        room.loud = {"ann": loudness + 1}
        said += len(await room.run(1))
    assert said == pytest.approx(50 / LEVEL_TICKS, abs=1)
    room.loud = {f"guest {n}": n for n in range(1, 101)}
    assert [len(levels) for levels in await room.run(LEVEL_TICKS)] == [50]


async def test_one_that_ends_takes_the_levels_from_no_other(room: Room) -> None:
    room.shared.watch_levels("one", dict)  # its taps are closed, and it has not left yet
    room.shared.watch_levels("two", room.levels)
    room.loud = {"ann": 50}
    assert await room.run(30) == [{"ann": 50}]
