"""All live outputs of a room: one encoder for all of them, whoever comes, goes, or dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.core.ports import HlsSpec, PictureCoding, PushSpec, SoundCoding
from bridge.errors import BadInput, BridgeError
from bridge.outputs.codec_wishes import NO_HE_AAC
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_outputs import LiveOutput
from bridge.outputs.published_streams import PublishedStreams
from bridge.outputs.record import PROGRAM, Begun, Joined, Record, Sound, Talked
from bridge.outputs.room_encoder import RoomEncoder
from bridge.tokens import hash_of
from tests.kit.hls_reader import read
from tests.kit.live_house import FRAME, LiveHouse, Port, heard_in
from tests.kit.rtmp_server import RtmpServer, rtmp_server
from tests.kit.tones import click_score, find_tones

pytestmark = pytest.mark.wire

SOUND = SoundCoding("aac", 64_000)
PICTURE = PictureCoding(320, 180)
HLS = HlsSpec("stream-1", SOUND, segment_s=1.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("rtmp") / "nginx") as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[LiveHouse]:
    house = LiveHouse(tmp_path)
    yield house
    await house.close()


def all_run(*outputs: LiveOutput) -> bool:
    return all(output.look().state == "running" for output in outputs)


async def test_two_pushes_and_a_stream_share_one_encoder_of_sound(
    house: LiveHouse, server: RtmpServer
) -> None:
    room = house.room()
    room.join("ann", "Ann")
    one = await room.start(PushSpec(server.url("one"), SOUND, None))
    two = await room.start(PushSpec(server.url("two"), SOUND, PICTURE))
    hls = await room.start(HLS)
    assert (one.kind, hls.kind) == ("rtmp", "hls")
    await room.run_until(lambda: all_run(one, two, hls))
    await room.run_until(lambda: house.encoder().figures().sound_encoders > 0)
    (figures,) = house.outputs.figures()
    assert (figures.sound_encoders, figures.picture_encoders, figures.outputs) == (1, 1, 3)
    assert figures.begun == 1
    for output in (one, hls, two):
        await room.stop(output)
    assert house.outputs.figures() == [], "the last one ends the process"
    for key in ("one", "two"):
        (file,) = server.recorded(key)
        heard, rate = heard_in(file)
        assert list(find_tones(heard[rate // 2 : -rate // 4], rate)) == [600]


async def test_whoever_goes_the_others_hear_every_tick_once(house: LiveHouse, server: RtmpServer) -> None:
    room = house.room()
    first = await room.start(PushSpec(server.url("first"), SOUND, None))
    stays = await room.start(PushSpec(server.url("stays"), SOUND, None))
    await room.run_until(lambda: all_run(first, stays))
    await room.run(1.0)
    await asyncio.gather(room.stop(first), room.run(1.0))
    third = await room.start(HLS)
    await room.run(1.0)
    await asyncio.gather(room.stop(third), room.run(0.5))
    await room.stop(stays)
    heard, rate = heard_in(server.recorded("stays")[0])
    assert len(heard) / rate > 3.3
    assert click_score(heard[rate // 4 : -rate // 4], rate, 600) < 0.5, "nothing missing, nothing twice"


async def test_rooms_have_encoders_of_their_own(house: LiveHouse) -> None:
    one, two = house.room("one"), house.room("two")
    await one.start(HlsSpec("stream-1", SOUND))
    await two.start(HlsSpec("stream-2", SOUND))
    assert len(house.outputs.figures()) == 2
    assert house.encoder("one") is not house.encoder("two")


async def test_a_stream_can_be_seen_with_its_token_and_leaves_nothing(house: LiveHouse) -> None:
    room = house.room()
    hls = await room.start(
        HlsSpec("stream-1", SOUND, segment_s=1.0, whole=True, token_hash=hash_of("let me"))
    )
    await room.run_until(lambda: hls.look().figures.get("segments", 0) >= 2)
    look = hls.look()
    assert look.state == "running" and look.figures["bytes"] > 8_000 and "delay_p50_ms" in look.figures
    assert (await house.shelf.answer("stream-1", "media.m3u8", {})).status == 403
    answer = await house.shelf.answer("stream-1", "media.m3u8", {"token": "let me"})
    assert len(read(answer.body.decode()).segments) >= 2
    assert (house.root / "stream-1").stat().st_mode & 0o777 == 0o700
    await room.stop(hls)
    assert hls.look().state == "ended"
    await house.swept()
    assert (await house.shelf.answer("stream-1", "media.m3u8", {"token": "let me"})).status == 404


async def test_who_is_behind_sees_the_end_of_a_stream_that_is_over(tmp_path: Path) -> None:
    house = LiveHouse(tmp_path, lingers_s=0.5)
    room = house.room()
    hls = await room.start(HLS)
    await room.run_until(lambda: hls.look().figures.get("segments", 0) >= 2)
    await room.stop(hls, "conference ended")
    playlist = read((await house.shelf.answer("stream-1", "media.m3u8", {})).body.decode())
    assert playlist.ended
    for segment in playlist.segments:
        assert (await house.shelf.answer("stream-1", segment.uri, {})).status == 200
    await house.swept()
    assert (await house.shelf.answer("stream-1", "media.m3u8", {})).status == 404


async def test_a_server_that_goes_down_keeps_nobody_waiting_for_the_end_of_a_stream(tmp_path: Path) -> None:
    house = LiveHouse(tmp_path, lingers_s=0.7)
    room = house.room()
    hls = await room.start(HLS)
    await room.stop(hls)
    house.shelf.close()
    assert (await house.shelf.answer("stream-1", "media.m3u8", {})).status == 404
    await asyncio.sleep(0.8)  # longer than it would have lingered
    assert (house.root / "stream-1").exists(), "the next server sweeps it"
    await house.outputs.clean(())
    assert not [*house.root.iterdir()]


async def test_captions_have_a_rendition_before_anybody_says_what_is_said(house: LiveHouse) -> None:
    room = house.room()
    hls = await room.start(HlsSpec("stream-1", SOUND, segment_s=1.0, captions=True))
    await room.run_until(lambda: hls.look().figures.get("segments", 0) >= 4)
    master = (await house.shelf.answer("stream-1", "index.m3u8", {})).body.decode()
    assert "TYPE=SUBTITLES" in master and 'URI="captions.m3u8"' in master
    captions = read((await house.shelf.answer("stream-1", "captions.m3u8", {})).body.decode())
    text = (await house.shelf.answer("stream-1", captions.segments[0].uri, {})).body.decode()
    assert text.startswith("WEBVTT\n") and "-->" not in text


async def test_a_stream_is_published_to_a_storage_as_well(tmp_path: Path) -> None:
    stored: dict[str, bytes] = {}
    broken = True

    class Bucket:
        async def put(self, path: Path, key: str, media_type: str) -> None:
            if broken:
                raise BridgeError("bucket: refused")
            stored[f"{key} {media_type}"] = await asyncio.to_thread(path.read_bytes)

        async def remove(self, key: str) -> None:
            removed.append(key)

    removed: list[str] = []
    published = PublishedStreams(tmp_path / "published", {"bucket": Bucket()})

    house = LiveHouse(tmp_path, publish=published.open)
    room = house.room()
    hls = await room.start(HlsSpec("stream-1", SOUND, segment_s=1.0, storage="bucket"))
    await room.run_until(lambda: hls.look().trouble == "the storage does not take it: bucket: refused")
    assert hls.look().figures["waiting_uploads"] >= 1
    broken = False
    await room.run_until(lambda: hls.look().trouble == "")
    await room.stop(hls)
    kept = {name.partition(" ")[0].removeprefix("hls/stream-1/") for name in stored}
    playlist = read(stored["hls/stream-1/media.m3u8 application/vnd.apple.mpegurl"].decode())
    assert playlist.ended and {segment.uri for segment in playlist.segments} <= kept
    assert "index.m3u8" in kept and hls.look().figures["missed_uploads"] == 0
    async with asyncio.timeout(10):
        while len(removed) < len(kept):  # noqa: ASYNC110 - the storage tells nobody
            await asyncio.sleep(0.01)
    assert {key.removeprefix("hls/stream-1/") for key in removed} == kept
    await house.close()
    await published.close()


async def test_he_aac_is_aac_and_it_says_so(house: LiveHouse) -> None:
    room = house.room()
    hls = await room.start(HlsSpec("stream-1", SoundCoding("he-aac", 32_000), segment_s=1.0))
    push = house.outputs(Port(room), PushSpec("rtmp://127.0.0.1:1/live/key", SoundCoding("he-aac"), None))
    await room.run_until(lambda: hls.look().state == "running")
    assert push.look().trouble == hls.look().trouble == NO_HE_AAC
    assert "mp4a.40.2" in (await house.shelf.answer("stream-1", "index.m3u8", {})).body.decode()


async def test_a_stream_taken_up_after_a_restart_counts_on(house: LiveHouse, tmp_path: Path) -> None:
    room = house.room()
    hls = await room.start(HLS)
    await room.run_until(lambda: hls.look().figures.get("segments", 0) >= 3)
    await room.stop(hls, "restart")
    left = list((house.root / "stream-1").iterdir())
    assert left, "the next server finds what there was"
    after = LiveHouse(tmp_path)
    again = after.room()
    hls = await again.start(HLS)
    await again.run_until(lambda: hls.look().figures.get("segments", 0) >= 1)
    playlist = read((await after.shelf.answer("stream-1", "media.m3u8", {})).body.decode())
    assert playlist.sequence > 3
    await again.stop(hls)
    await after.swept()
    (house.root / "left-behind").mkdir()
    await after.outputs.clean({"stream-1"})
    assert not list(house.root.iterdir())


async def test_an_encoder_that_dies_is_begun_again_and_everything_goes_on(
    house: LiveHouse, server: RtmpServer
) -> None:
    room = house.room()
    room.join("ann", "Ann")
    push = await room.start(PushSpec(server.url("dies"), SOUND, PICTURE))
    hls = await room.start(HLS)
    await room.run_until(lambda: all_run(push, hls))
    reports = room.ports[hls].reports
    house.encoder()._child.kill()  # type: ignore[union-attr]
    await room.run_until(lambda: reports == ["the live encoder ended"])
    assert hls.look().state == push.look().state == "troubled"
    await room.run_until(lambda: all_run(push, hls))
    assert reports == ["the live encoder ended", ""]
    await room.run_until(lambda: push.look().figures["connections"] == 2)
    await room.run(2.0)
    assert house.outputs.figures()[0].begun == 2
    await room.stop(push)
    await room.stop(hls)
    heard, rate = heard_in(server.recorded("dies")[1])
    assert list(find_tones(heard[rate // 2 : -rate // 4], rate)) == [600]


async def test_without_h264_there_is_sound_and_it_says_so(tmp_path: Path, server: RtmpServer) -> None:
    house = LiveHouse(tmp_path, h264=False)
    room = house.room()
    push = await room.start(PushSpec(server.url("plain"), SOUND, PICTURE))
    hls = await room.start(HlsSpec("stream-1", SOUND, PICTURE, segment_s=1.0))
    await room.run_until(lambda: all_run(push, hls))
    assert push.look().trouble == hls.look().trouble == "H.264 is switched off: sound only"
    await room.run_until(lambda: house.encoder().figures().sound_encoders > 0)
    assert house.encoder().figures().picture_encoders == 0
    assert room.ports[push].reports == []
    await house.close()


async def test_what_cannot_be_is_refused_and_leaves_nothing(house: LiveHouse, tmp_path: Path) -> None:
    room = house.room()
    with pytest.raises(BadInput, match="MPEG-TS"):
        house.outputs(Port(room), HlsSpec("stream-1", SoundCoding("opus"), container="ts"))
    with pytest.raises(BadInput, match="RTMP has mp3"):
        house.outputs(Port(room), PushSpec("rtmp://h/live/k", SoundCoding("mp3")))
    with pytest.raises(BadInput, match="no storage"):
        house.outputs(Port(room), HlsSpec("stream-1", SOUND, storage="bucket"))
    house.root.write_text("a file where the directory should be")
    with pytest.raises(BridgeError, match="no place for its files"):
        await house.outputs(Port(room), HLS).start()
    assert house.outputs.figures() == []


async def test_two_that_begin_at_once_begin_one_process(house: LiveHouse) -> None:
    room = house.room()
    await asyncio.gather(room.start(HlsSpec("stream-1", SOUND)), room.start(HlsSpec("stream-2", SOUND)))
    assert [figures.begun for figures in house.outputs.figures()] == [1]
    assert house.encoder().outputs == 2


async def test_one_that_is_ended_while_it_begins_leaves_nothing(house: LiveHouse) -> None:
    room = house.room()
    output = house.outputs(Port(room), HLS)
    starting = asyncio.ensure_future(output.start())
    await asyncio.sleep(0)
    await output.stop("conference ended")
    await starting
    assert house.outputs.figures() == []
    await house.swept()
    assert (await house.shelf.answer("stream-1", "media.m3u8", {})).status == 404
    with pytest.raises(BridgeError):
        await output.start()


class HeardEncoder(LiveEncoder):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("room")
        self.told: list[Record] = []
        self.chunks: list[tuple[int, int]] = []

    async def start(self) -> None:
        pass

    def passed(self, since: int, until: int, records: list[Record]) -> None:
        self.told += records
        self.chunks.append((since, until))


async def test_what_every_output_is_told_is_told_to_the_encoder_once(house: LiveHouse) -> None:
    heard = HeardEncoder()
    room = house.room()
    shared = RoomEncoder("room", "", lambda room, title, on_trouble: heard)
    ports = [Port(room), Port(room)]
    for port in ports:
        shared.enter(str(id(port)), lambda why: None)
        await shared.start(port)
        port.open_program(shared.program)
    for _ in ports:
        shared.joined("ann", "Ann")
    for tick in range(12):
        room.position += 1
        for port in ports:
            assert port.program is not None
            port.program.send_frame(bytes([tick]) * 2 * FRAME, False, False)
        if tick == 6:
            for _ in ports:
                shared.talked("ann", True)
                shared.named("ann", "Anna")
                shared.left("bob")
    for _ in ports:
        shared.flush()
        shared.left("ann")
    shared.joined("ann", "Ann")
    await shared.stop()
    assert list(dict.fromkeys(heard.chunks)) == [(0, 5), (5, 10), (10, 12), (12, 12)]
    assert isinstance(heard.told[0], Begun)
    pcm = b"".join(r.pcm for r in heard.told if isinstance(r, Sound) and r.track == PROGRAM)
    assert pcm == b"".join(bytes([tick]) * 2 * FRAME for tick in range(12))
    told = [record for record in heard.told if not isinstance(record, Sound | Begun)]
    assert [type(record).__name__ for record in told] == ["Joined", "Talked", "Named", "Left", "Joined"]
    assert told[1] == Talked(7, "ann", True) and told[0] == Joined(0, "ann", "Ann")
