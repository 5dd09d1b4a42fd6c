"""Live HLS as an output of a room: taps in, playlists out, several streams beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.core.ports import FrameSink, HlsSpec, PictureCoding, SoundCoding
from bridge.errors import BadInput, BridgeError
from bridge.outputs.hls_shelf import HlsShelf, token_digest
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_rooms import LiveRooms
from bridge.outputs.room_hls import RoomHls, RoomStreams
from tests.kit.hls_reader import ReadPlaylist, faults, read
from tests.kit.live_room import BEGAN_MS, FRAME, RATE
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

SOUND = tone(600, 10.0, RATE).astype("<i2")


class Room:
    """A room on a clock of the test's own; each output has a port of its own, as in the server."""

    def __init__(self) -> None:
        self.now_tick = 1_000
        self.ports: list[RoomPort] = []

    def port(self) -> RoomPort:
        self.ports.append(RoomPort(self))
        return self.ports[-1]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.now_tick += 1
            at = self.now_tick * FRAME % len(SOUND)
            frame = SOUND[at : at + FRAME].tobytes()
            for port in self.ports:
                if port.sink is not None:
                    port.sink.send_frame(frame, False, False)


class RoomPort:
    room_id = "room"

    def __init__(self, room: Room) -> None:
        self._room = room
        self.sink: FrameSink | None = None
        self.reports: list[str] = []

    def tick(self) -> int:
        return self._room.now_tick

    def sound_ms(self) -> int:
        return BEGAN_MS + 20 * self._room.now_tick

    def open_program(self, sink: FrameSink) -> None:
        self.sink = sink

    def open_participant(self, participant_id: str, sink: FrameSink) -> None:
        raise AssertionError("only the program is wanted")

    def close_participant(self, participant_id: str) -> None: ...

    def report(self, trouble: str) -> None:
        self.reports.append(trouble)


class Place:
    def __init__(self, root: Path) -> None:
        self.room = Room()
        self.shelf = HlsShelf()
        self.rooms = LiveRooms()
        self.streams = self.server(root)

    def server(self, root: Path) -> RoomStreams:
        return RoomStreams(
            self.rooms, self.shelf, root, now=lambda: (BEGAN_MS + 20 * self.room.now_tick) / 1e3
        )

    async def begin(self, spec: HlsSpec) -> tuple[RoomHls, RoomPort]:
        port = self.room.port()
        output = self.streams(port, spec)
        await output.start()
        output.joined("ann", "Ann")
        return output, port

    async def end(self, output: RoomHls, port: RoomPort) -> None:
        port.sink = None  # the desk closes the taps first
        await output.stop("stopped")

    async def media(self, stream_id: str, **query: str) -> ReadPlaylist:
        answer = await self.shelf.answer(stream_id, "media.m3u8", query)
        assert answer.status == 200, answer.body
        return read(answer.body.decode())

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - another process works
                await asyncio.sleep(0.01)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    yield place
    await place.streams.close()
    for encoder in place.rooms.encoders:
        await encoder.stop()


async def test_a_room_is_seen_to_its_last_word(place: Place, tmp_path: Path) -> None:
    output, port = await place.begin(HlsSpec("a", segment_s=2.0, whole=True))
    assert output.look().state == "running"
    place.room.run(7.3)
    await place.end(output, port)
    assert output.look().state == "ended"
    playlist = await place.media("a")
    assert playlist.ended and faults(playlist) == []
    assert sum(segment.duration for segment in playlist.segments) == pytest.approx(7.3, abs=0.05)
    first = playlist.segments[0].date_ms
    assert first == pytest.approx(BEGAN_MS + 20 * 1_001, abs=25), "the tick after that in which it began"
    assert (tmp_path / "a").is_dir(), "those behind see it to its end"
    assert place.rooms.encoders == []


async def test_streams_of_a_room_share_its_encoder_and_end_apart(place: Place) -> None:
    first, first_port = await place.begin(HlsSpec("a", segment_s=2.0, whole=True))
    place.room.run(2.5)
    second, second_port = await place.begin(
        HlsSpec("b", SoundCoding("opus"), PictureCoding(320, 180), segment_s=2.0, part_s=0.5, whole=True)
    )
    place.room.run(4.0)
    assert len(place.rooms.encoders) == 1
    await place.end(first, first_port)
    place.room.run(3.0)
    await place.end(second, second_port)
    one, two = await place.media("a"), await place.media("b")
    assert sum(s.duration for s in one.segments) == pytest.approx(6.5, abs=0.05)
    assert sum(s.duration for s in two.segments) == pytest.approx(7.0, abs=0.15)
    assert not any(segment.discontinuity for segment in [*one.segments[1:], *two.segments[1:]])
    assert faults(two) == [] and place.rooms.encoders == []


async def test_a_stream_that_is_taken_up_again_counts_on(place: Place, tmp_path: Path) -> None:
    output, port = await place.begin(HlsSpec("a", segment_s=2.0))
    place.room.run(21)
    await place.end(output, port)
    before = await place.media("a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "s0.m4s").write_text("left by a server that was killed")
    place.room.run(5)
    output, port = await place.begin(HlsSpec("a", segment_s=2.0))
    assert (await place.shelf.answer("a", "media.m3u8", {})).status == 404, "nothing of it yet"
    place.room.run(9)
    await place.until(lambda: output.look().figures["segments"] >= 4)
    after = await place.media("a")
    assert after.sequence > before.last_sequence
    assert after.discontinuity_sequence > before.segments[-1].discontinuity_sequence
    await place.begin(HlsSpec("b", segment_s=2.0))
    assert not (tmp_path / "b" / "s0.m4s").exists()


async def test_an_ended_stream_goes_with_its_files_after_a_while(place: Place, tmp_path: Path) -> None:
    place.streams._linger_s = 0.05
    output, port = await place.begin(HlsSpec("a", segment_s=2.0))
    place.room.run(5)
    await place.end(output, port)
    assert (await place.media("a")).ended
    await place.until(lambda: not (tmp_path / "a").exists())
    assert (await place.shelf.answer("a", "media.m3u8", {})).status == 404


async def test_a_protected_stream_wants_its_token(place: Place) -> None:
    await place.begin(HlsSpec("a", segment_s=2.0, token_hash=token_digest("secret").hex()))
    assert (await place.shelf.answer("a", "media.m3u8", {})).status == 403
    assert (await place.shelf.answer("a", "media.m3u8", {"token": "secret"})).status == 404


async def test_captions_come_at_the_time_they_were_said(place: Place, tmp_path: Path) -> None:
    output, port = await place.begin(HlsSpec("a", segment_s=2.0, whole=True, captions=True))
    place.room.run(2.0)
    feed = place.rooms.of("room")
    assert feed is not None
    spoken_ms = BEGAN_MS + 20 * 1_001 + 500
    feed.caption(spoken_ms, spoken_ms + 800, "Hello", "Ann")
    place.room.run(4.0)
    await place.end(output, port)
    playlist = await place.media("a")
    text = (tmp_path / "a" / f"c{playlist.sequence}.vtt").read_text()
    assert "00:00:01.500 --> 00:00:02.300" in text and "<v Ann>Hello</v>" in text


async def test_a_dead_encoder_is_told_to_all_its_streams(place: Place) -> None:
    one, one_port = await place.begin(HlsSpec("a", segment_s=2.0))
    two, two_port = await place.begin(HlsSpec("b", segment_s=2.0))
    place.room.run(3)
    place.rooms.encoders[0]._child.kill()  # type: ignore[union-attr]
    await place.until(lambda: one.look().state == "troubled")
    assert one_port.reports and two_port.reports and two.look().trouble
    await place.until(lambda: one.look().state == "running")
    assert one_port.reports[-1] == ""


async def test_what_cannot_be_is_refused_before_it_begins(place: Place) -> None:
    for wrong in (
        HlsSpec("a", segment_s=60.0),
        HlsSpec("a", container="ts", part_s=0.5),
        HlsSpec("a", SoundCoding("opus"), container="ts"),
        HlsSpec("a", SoundCoding(rate_hz=44_100)),
    ):
        with pytest.raises(BadInput):
            place.streams(place.room.port(), wrong)


async def test_no_place_for_files_is_said(place: Place, tmp_path: Path) -> None:
    place.streams = place.server(tmp_path / "missing")
    with pytest.raises(BridgeError, match="No such file"):
        await place.begin(HlsSpec("a"))
    assert place.rooms.encoders == []


async def test_no_process_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(self: LiveEncoder) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(LiveEncoder, "start", refused)
    with pytest.raises(BridgeError, match="temporarily unavailable"):
        await place.begin(HlsSpec("a"))
