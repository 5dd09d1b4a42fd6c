"""Players by the verbs: who they are, how many, what becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest

from bridge.changes import Change, ParticipantRemoved
from bridge.core.ports import CallTrack, CloseReason, PlayerSource
from bridge.directory import Directory
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import BadInput, Draining, EgressRefused, LimitReached
from bridge.people import Actor, Conference
from bridge.players import SCHEMES, NoSource, PlayerLimits, Players, SourceChange, SourceWishes
from tests.kit.players import PlayerHouse
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit

APP = Actor.application("app")


class Letters:
    """A supply of sound that lasts `seconds`."""

    paced = ends = True
    size = None

    def __init__(self, seconds: float) -> None:
        self.left = round(seconds * 10)
        self.begun = False

    async def next_run(self) -> bool:
        begun, self.begun = self.begun, True
        return not begun

    async def read(self, at: int, count: int) -> bytes:
        given = min(self.left, count)
        self.left -= given
        return b"a" * given


@asynccontextmanager
async def letters(source: PlayerSource) -> AsyncIterator[Letters]:
    yield Letters(float(source.file.removesuffix("s") or 1000))


async def nobody(host: str) -> list[str]:
    return ["192.0.2.1"]


async def any_file(name: str) -> None:
    if name == "missing":
        raise BadInput("there is no such file below players.directories")


@dataclass
class Set:
    """Everything a test touches."""

    house: PlayerHouse
    directory: Directory
    players: Players
    changes: list[Change]

    async def conference(self) -> Conference:
        return await self.directory.open_conference("app", by=APP)


@pytest.fixture
async def stage() -> AsyncIterator[Set]:
    house = PlayerHouse(open_supply=letters)
    directory = Directory(MemoryRecords(), house.board)
    await directory.load()
    gate = EgressGate(EgressSettings(), nobody)
    players = Players(
        directory, house.board, lambda url: gate.check(url, SCHEMES), any_file, PlayerLimits(3, 4)
    )
    changes: list[Change] = []
    directory.subscribe(changes.append)
    yield Set(house, directory, players, changes)
    await house.close()
    await directory.close()


async def test_a_player_is_a_participant_until_it_is_over(stage: Set) -> None:
    conference = await stage.conference()
    made, token = await stage.players.play(conference, SourceWishes(file="1s"), by=APP, name="Music")
    assert made.name == "Music" and token
    await stage.house.go(10)
    present = stage.directory.participant(conference, made.id)
    assert present.online and present.leg_kind == "player" and present.media.audio
    looked = stage.players.look(present)
    assert looked is not None and looked.state == "connected"
    await stage.house.go(60)
    assert stage.directory.participants(conference) == []
    assert isinstance(stage.changes[-1], ParticipantRemoved)
    assert stage.players.look(present) is None


async def test_who_is_to_be_kept_stays_and_plays_again_from_the_beginning(stage: Set) -> None:
    conference = await stage.conference()
    made, _ = await stage.players.play(conference, SourceWishes(file="1s", keep=True), by=APP)
    await stage.house.go(70)
    kept = stage.directory.participant(conference, made.id)
    looked = stage.players.look(kept)
    assert not kept.online and looked is not None and looked.state == "closed"
    await stage.players.change(kept, SourceChange(volume=50))
    await stage.house.go(10)
    kept = stage.directory.participant(conference, made.id)
    looked = stage.players.look(kept)
    assert kept.online and looked is not None
    assert (looked.state, looked.source.volume) == ("connected", 0.5)


async def test_how_it_plays_can_be_changed_bit_by_bit(stage: Set) -> None:
    conference = await stage.conference()
    made, _ = await stage.players.play(conference, SourceWishes(file="100s", volume=200), by=APP)
    leg = stage.house.made[made.id]
    await stage.players.change(made, SourceChange(loop=True))
    await stage.players.change(made, SourceChange(paused=True))
    looked = stage.players.look(made)
    assert looked is not None
    assert looked.source == PlayerSource("", "100s", 2.0, loop=True, paused=True)
    assert stage.house.made[made.id] is leg


async def test_there_are_only_so_many_in_a_conference_and_in_all(stage: Set) -> None:
    conference, other = await stage.conference(), await stage.conference()
    wishes = SourceWishes(file="100s")
    made = [await stage.players.play(conference, wishes, by=APP) for _ in range(3)]
    with pytest.raises(LimitReached, match="players.per_conference = 3"):
        await stage.players.play(conference, wishes, by=APP)
    await stage.players.play(other, wishes, by=APP)
    with pytest.raises(LimitReached, match="players.total = 4"):
        await stage.players.play(other, wishes, by=APP)
    assert len(stage.directory.participants(conference)) == 3
    await stage.directory.remove_participant(made[0][0], by=APP)
    await stage.players.play(other, wishes, by=APP)
    await stage.directory.close_conference(other, by=APP)
    await stage.players.play(conference, wishes, by=APP)


async def test_one_that_is_stopped_is_gone(stage: Set) -> None:
    conference = await stage.conference()
    made, _ = await stage.players.play(conference, SourceWishes(file="100s"), by=APP)
    await stage.house.go(5)
    await stage.players.stop(made)
    await stage.house.go(2)
    assert stage.directory.participants(conference) == []
    await stage.players.stop(made)


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        (SourceWishes(url="ftp://media.example/a.flv"), EgressRefused),
        (SourceWishes(url="file:///etc/passwd"), EgressRefused),
        (SourceWishes(url="rtmp://127.0.0.1/live/key"), EgressRefused),
        (SourceWishes(url="http://169.254.169.254/latest"), EgressRefused),
        (SourceWishes(url="concat:a|b"), EgressRefused),
        (SourceWishes(file="missing"), BadInput),
    ],
)
async def test_what_is_never_played_is_refused_before_anybody_comes(
    stage: Set, wishes: SourceWishes, error: type[Exception]
) -> None:
    conference = await stage.conference()
    with pytest.raises(error):
        await stage.players.play(conference, wishes, by=APP)
    assert stage.directory.participants(conference) == []
    assert stage.changes == []


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"url": "http://a/b", "file": "c"},
        {"file": "c", "volume": 201},
        {"file": "c", "volume": -1},
        {"file": "c", "seek": 3},
        {"file": "x" * 5_000},
    ],
)
def test_wishes_that_cannot_be_are_told(wishes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wishes, SourceWishes)


def test_an_address_is_never_printed() -> None:
    assert "key" not in repr(SourceWishes(url="rtmp://host/live/key"))


async def test_who_plays_nothing_cannot_be_changed(stage: Set) -> None:
    conference = await stage.conference()
    person, _ = await stage.directory.add_participant(conference, by=APP)
    with pytest.raises(NoSource):
        await stage.players.change(person, SourceChange(volume=3))
    assert stage.players.look(person) is None


async def test_nobody_is_left_behind_when_there_is_no_place_for_a_leg(stage: Set) -> None:
    conference = await stage.conference()
    stage.house.board._max_legs = 0
    for _ in range(5):
        with pytest.raises(LimitReached, match="legs"):
            await stage.players.play(conference, SourceWishes(file="1s"), by=APP)
    assert stage.directory.participants(conference) == []
    stage.house.board._max_legs = 10
    stage.house.board.draining = True
    with pytest.raises(Draining):
        await stage.players.play(conference, SourceWishes(file="1s"), by=APP)
    stage.house.board.draining = False
    await stage.players.play(conference, SourceWishes(file="1s"), by=APP)


async def test_who_takes_a_players_place_with_another_leg_is_no_player(stage: Set) -> None:
    conference = await stage.conference()
    made, _ = await stage.players.play(conference, SourceWishes(file="100s"), by=APP)
    await stage.house.go(5)
    await stage.directory.connect(made, CallTrack(None, "inbound"))  # type: ignore[arg-type]
    looked = stage.players.look(made)
    assert looked is not None and looked.state == "closed"
    await stage.directory.disconnect(made, CloseReason.HANGUP)
