from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from bridge.core.ports import HlsSpec, OutputPort, OutputSpec, PictureCoding, PushSpec, SoundCoding
from bridge.directory import Directory
from bridge.errors import BadInput, BridgeError, EgressRefused, LimitReached, NoSuchRoom
from bridge.output_desk import OutputDesk
from bridge.people import Actor, Conference
from bridge.records import KeptStreaming
from bridge.streamings import (
    HlsWishes,
    NoSuchStreaming,
    PictureWishes,
    SoundWishes,
    StreamingLimits,
    Streamings,
    StreamingWishes,
)
from bridge.tokens import hash_of
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecords, MemoryStreamings

pytestmark = pytest.mark.unit

BY = Actor.application("app")
URL = "rtmps://live.example/app/a-secret-key"
PLAIN = StreamingWishes()


def check(url: str) -> None:
    if not url.startswith(("rtmp://", "rtmps://")):
        raise EgressRefused("the URL must begin with rtmp:// or rtmps://")


async def settle() -> None:
    """Whatever needs no more than turns of the loop is done."""
    for _ in range(20):
        await asyncio.sleep(0)


class Pauses:
    """Asked for, and over when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._over: list[asyncio.Event] = []

    async def pause(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._over.append(asyncio.Event())
        await self._over[-1].wait()

    async def end(self) -> None:
        """The newest one, and what follows from it."""
        self._over[-1].set()
        await settle()


class House:
    def __init__(self) -> None:
        self.people, self.records = MemoryRecords(), MemoryStreamings()
        self.fails: Exception | None = None
        self.broken = -1
        """The one of that number breaks when it begins."""
        self.limits = StreamingLimits(streamings_per_conference=3)
        self.clock = Pauses()

    async def start(self) -> None:
        self.made: list[tuple[OutputSpec, Notes]] = []
        rooms = Rooms()
        self.directory = Directory(self.people, rooms)
        factories = {PushSpec: self._make, HlsSpec: self._make}
        self.desk = OutputDesk(rooms, self.directory, factories, lambda: 0, lambda: 0)
        self.streamings = Streamings(
            self.records,
            self.directory,
            self.desk,
            check,
            lambda stream_id, token: f"http://here/hls/{stream_id}/{token}",
            limits=self.limits,
            storages=("bucket",),
            pause=self.clock.pause,
        )
        await self.directory.load()
        await self.streamings.load()

    async def stop(self) -> None:
        await self.streamings.close()
        await self.desk.close()
        await self.directory.close()

    async def again(self) -> None:
        await self.stop()
        await self.start()
        await settle()

    def _make(self, port: OutputPort, spec: OutputSpec) -> Notes:
        made = Notes(port, spec)
        made.fails = ZeroDivisionError() if len(self.made) == self.broken else self.fails
        self.made.append((spec, made))
        return made

    async def conference(self) -> Conference:
        return await self.directory.open_conference("app", by=BY)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.start()
    yield house
    await house.stop()


async def test_one_is_published_until_it_is_deleted(house: House) -> None:
    conference = await house.conference()
    made = await house.streamings.create(conference, URL, PLAIN)
    assert (made.url, made.alive) == (URL, True)
    assert house.made[0][0] == PushSpec(URL, stream_id=made.id)
    assert URL not in repr(house.made[0][0])
    assert house.streamings.get(conference, made.id).id == made.id
    await house.streamings.delete(conference, made.id)
    assert house.made[0][1].told == [("stopped", "stopped")]
    with pytest.raises(NoSuchStreaming):
        house.streamings.get(conference, made.id)
    assert house.records.kept == {}


async def test_they_go_on_after_a_restart_and_keep_their_ids(house: House) -> None:
    conference = await house.conference()
    wishes = StreamingWishes(SoundWishes("mp3", 96_000, 2), PictureWishes(320, 180, 5, 100_000), levels=True)
    push = await house.streamings.create(conference, URL, wishes)
    hls = await house.streamings.create(
        conference, "", StreamingWishes(SoundWishes("he-aac"), None, HlsWishes("ts", 2.0, captions=True))
    )
    await house.again()
    assert [one.id for one in house.streamings.all_of(conference)] == [push.id, hls.id]
    assert [spec for spec, _ in house.made] == [
        PushSpec(
            URL, SoundCoding("mp3", 96_000, 2, 44_100), PictureCoding(320, 180, 5, 100_000), push.id, True
        ),
        HlsSpec(hls.id, SoundCoding("he-aac"), container="ts", segment_s=2.0, captions=True),
    ]


async def test_a_protected_one_shows_its_token_once_and_keeps_only_its_hash(house: House) -> None:
    conference = await house.conference()
    wishes = StreamingWishes(hls=HlsWishes(protected=True))
    made = await house.streamings.create(conference, "", wishes)
    token = made.url.rpartition("/")[2]
    assert len(token) > 20
    spec = house.made[0][0]
    assert isinstance(spec, HlsSpec)
    assert spec.token_hash == hash_of(token)
    assert token not in str(house.records.kept)
    assert house.streamings.get(conference, made.id).url.endswith("/")


async def test_the_end_of_a_conference_ends_them(house: House) -> None:
    conference = await house.conference()
    await house.streamings.create(conference, URL, PLAIN)
    await house.directory.close_conference(conference, by=BY)
    await house.desk.close()
    assert house.made[0][1].told == [("stopped", "conference ended")]
    assert house.streamings.all_of(conference) == []
    with pytest.raises(NoSuchRoom):
        await house.streamings.create(conference, URL, PLAIN)


async def test_all_of_one_conference_are_deleted_and_no_others(house: House) -> None:
    conference, other = await house.conference(), await house.conference()
    for _ in range(2):
        await house.streamings.create(conference, URL, PLAIN)
    kept = await house.streamings.create(other, URL, PLAIN)
    await house.streamings.delete_all(conference)
    assert house.streamings.all_of(conference) == []
    assert [one.id for one in house.streamings.all_of(other)] == [kept.id]
    with pytest.raises(NoSuchStreaming):
        house.streamings.get(conference, kept.id)


async def test_what_cannot_be_is_refused_and_leaves_nothing(house: House) -> None:
    conference = await house.conference()
    for url, wishes, error in (
        ("http://x/y", PLAIN, EgressRefused),
        ("", PLAIN, BadInput),
        ("rtmp://live.example.com", PLAIN, BadInput),
        ("rtmp://live.example.com/?key", PLAIN, BadInput),
        (URL, StreamingWishes(hls=HlsWishes()), BadInput),
        ("", StreamingWishes(SoundWishes("opus"), hls=HlsWishes("ts")), BadInput),
        ("", StreamingWishes(hls=HlsWishes(), levels=True), BadInput),
    ):
        with pytest.raises(error):
            await house.streamings.create(conference, url, wishes)
    house.fails = BadInput("no encoder")
    with pytest.raises(BadInput):
        await house.streamings.create(conference, URL, PLAIN)
    assert house.records.kept == {}
    assert house.streamings.all_of(conference) == []


async def test_hls_goes_to_storages_of_the_configuration_only(house: House) -> None:
    conference = await house.conference()
    made = await house.streamings.create(conference, "", StreamingWishes(hls=HlsWishes(storage="bucket")))
    assert made.wishes.hls is not None and made.wishes.hls.storage == "bucket"
    spec = house.made[0][0]
    assert isinstance(spec, HlsSpec) and spec.storage == "bucket"
    with pytest.raises(BadInput, match="no storage other"):
        await house.streamings.create(conference, "", StreamingWishes(hls=HlsWishes(storage="other")))


async def test_there_are_only_so_many_in_a_conference(house: House) -> None:
    conference = await house.conference()
    for _ in range(3):
        await house.streamings.create(conference, URL, PLAIN)
    with pytest.raises(LimitReached, match="streamings_per_conference = 3"):
        await house.streamings.create(conference, URL, PLAIN)
    await house.streamings.delete_all(conference)
    asked = [house.streamings.create(conference, URL, PLAIN) for _ in range(5)]
    got = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, LimitReached) for one in got) == 2, "also of those who ask at once"


async def test_there_are_only_so_many_of_an_application_and_of_all(house: House) -> None:
    house.limits = StreamingLimits(3, 2)
    await house.again()
    ours = [await house.conference() for _ in range(3)]
    theirs = await house.directory.open_conference("other", by=BY)
    first = await house.streamings.create(ours[0], URL, PLAIN)
    await house.streamings.create(ours[1], URL, PLAIN)
    with pytest.raises(LimitReached, match="streamings_per_application = 2"):
        await house.streamings.create(ours[2], URL, PLAIN)
    await house.streamings.create(theirs, URL, PLAIN)
    with pytest.raises(LimitReached, match="streamings = 3"):
        await house.streamings.create(theirs, URL, PLAIN)
    await house.again()
    await house.streamings.delete(ours[0], first.id)
    await house.directory.close_conference(theirs, by=BY)
    await house.streamings.create(ours[2], URL, PLAIN)
    await house.streamings.delete_all(ours[1])
    house.fails = BridgeError("no")
    for _ in range(2):
        with pytest.raises(BridgeError, match="no"):
            await house.streamings.create(ours[0], URL, PLAIN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"audio": {"codec": "speex"}},
        {"audio": {"bitrate": 1}},
        {"audio": {"channels": 3}},
        {"picture": {"width": 641}},
        {"picture": {"fps": 0}},
        {"hls": {"segmentSeconds": 0.1}},
        {"hls": {"partSeconds": 5}},
        {"hls": {"container": "ts", "partSeconds": 0.5}},
        {"hls": {"window": 1}},
        {"other": 1},
    ],
)
def test_wishes_out_of_bounds_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, StreamingWishes)


async def test_settings_of_another_version_do_not_keep_the_server_from_starting(house: House) -> None:
    conference = await house.conference()
    house.records.kept["s"] = KeptStreaming("s", conference.id, URL, {"audio": {"codec": "future"}})
    await house.again()
    assert [spec for spec, _ in house.made] == [PushSpec(URL, stream_id="s")]


async def test_what_cannot_begin_after_a_restart_is_tried_again_until_it_can(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    conference = await house.conference()
    push = await house.streamings.create(conference, URL, PLAIN)
    hls = await house.streamings.create(conference, "", StreamingWishes(hls=HlsWishes(storage="bucket")))
    house.fails = BridgeError("there is no storage to publish to")
    await house.again()
    for one in house.streamings.all_of(conference):
        assert not one.alive and one.look is not None
        assert (one.look.state, one.look.trouble) == ("troubled", "there is no storage to publish to")
    assert [one.look.kind for one in house.streamings.all_of(conference) if one.look] == ["rtmp", "hls"]
    house.fails = RuntimeError(f"something about {URL}")
    house.clock.asked.clear()
    for _ in range(6):
        await house.clock.end()
    assert house.clock.asked == [5.0, 15.0, 30.0, 60.0, 60.0, 60.0], "longer and longer, up to a minute"
    look = house.streamings.get(conference, hls.id).look
    assert look is not None and look.trouble == "it could not be begun (RuntimeError)"
    assert "a-secret-key" not in caplog.text
    house.fails = None
    await house.clock.end()
    assert house.streamings.get(conference, hls.id).alive
    assert not house.streamings.get(conference, push.id).alive
    assert len(house.clock.asked) == 6


async def test_what_is_deleted_or_whose_conference_ends_is_not_tried_again(house: House) -> None:
    conference, other = await house.conference(), await house.conference()
    first = await house.streamings.create(conference, URL, PLAIN)
    await house.streamings.create(other, URL, PLAIN)
    house.fails = BridgeError("no relay")
    await house.again()
    house.fails = None
    begun = len(house.made)
    await house.streamings.delete(conference, first.id)
    await house.directory.close_conference(other, by=BY)
    await house.clock.end()
    assert len(house.made) == begun and house.streamings.all_of(conference) == []
    assert not [task for task in asyncio.all_tasks() if "Streamings" in repr(task)]


async def test_one_that_breaks_does_not_keep_the_others_or_the_server_from_starting(house: House) -> None:
    conference = await house.conference()
    for _ in range(3):
        await house.streamings.create(conference, URL, PLAIN)
    house.broken = 1
    await house.again()
    assert [one.alive for one in house.streamings.all_of(conference)] == [True, False, True]
    await house.streamings.close()
    await house.clock.end()
    assert len(house.made) == 3, "nothing begins while the server goes down"
    assert not [task for task in asyncio.all_tasks() if "Streamings" in repr(task)]
