"""What is said in a pushed stream beside sound and pictures: real servers and players find it at its time."""

from __future__ import annotations

import math
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.core.ports import HlsSpec, PictureCoding, PushSpec, SoundCoding
from bridge.errors import BadInput
from bridge.outputs import live_wire
from bridge.outputs.live_wire import AddPush, Levels, Marked, Publishing
from bridge.outputs.push_notes import MARK_UUID, SOUND_LEVELS, USER_DATA
from bridge.rtmp.amf0 import decode
from bridge.rtmp.chunks import METADATA, PICTURE, SOUND
from tests.kit.live_house import LiveHouse, heard_in, times_in
from tests.kit.live_room import BEGAN_MS, FRAME, RATE
from tests.kit.media_site import flv_tags
from tests.kit.nal_units import units_in, user_data_in
from tests.kit.needs import program
from tests.kit.push_stage import Stage
from tests.kit.rtmp_peer import RtmpPeer, rtmp_peer
from tests.kit.rtmp_player import rtmp_probe
from tests.kit.rtmp_server import rtmp_server
from tests.kit.tones import find_tones

pytestmark = pytest.mark.wire

AAC, SEEN = live_wire.SoundSpec("aac"), live_wire.PictureSpec(320, 180)
WORDS = "Frage 3: ä, 雨 und \0\0\1 " + "x" * 300


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.studio.close()


@pytest.fixture
def peer() -> Iterator[RtmpPeer]:
    with rtmp_peer() as running:
        yield running


def base_of(stage: Stage) -> int:
    published = stage.said(Publishing)[0]
    assert isinstance(published, Publishing)
    return published.base


def ms_of(stage: Stage, tick: int) -> int:
    """On the published stream's clock."""
    return round((tick * FRAME - base_of(stage)) * 1000 / RATE)


def notes_of(peer: RtmpPeer, name: str) -> list[tuple[int, Any]]:
    """(time in ms, what was told) of the script data of that name."""
    found = [(message.at_ms, decode(message.body)) for message in peer.of(METADATA)]
    return [(at_ms, told[1]) for at_ms, told in found if told[0] == name]


def test_a_mark_is_in_the_next_picture_that_a_real_server_records(stage: Stage, tmp_path: Path) -> None:
    with rtmp_server(tmp_path / "nginx") as server:
        spec = live_wire.PushSpec(AAC, SEEN, levels=True)
        stage.studio.command(AddPush("push", 1, spec, server.port, "/live/marked"))
        stage.hear_until(lambda: bool(stage.said(Publishing)))
        stage.hear(0.5)
        first = stage.studio.tick + 3
        stage.studio.command(Marked("push", first, WORDS))
        stage.studio.command(Marked("push", first + 1, "second"))
        stage.studio.command(Levels(first, {"ann": 40}))
        stage.hear(1.0)
        last = stage.studio.tick
        stage.studio.command(Marked("push", last, "last"))
        stage.hear(0.5)
        stage.end()
        (file,) = server.recorded("marked")
    at_ms = {}
    for stamp, tag in flv_tags(file.read_bytes()):
        if tag[0] == PICTURE and tag[12] == 1:  # not what a decoder has to know
            for unit in units_in(tag[11:-4]):
                for identity, content in user_data_in(unit):
                    assert identity == MARK_UUID.bytes
                    at_ms[content.decode()] = stamp
    assert list(at_ms) == [WORDS, "second", "last"], "each is there once"
    for words, tick in ((WORDS, first), ("second", first + 1), ("last", last)):
        assert 0 <= at_ms[words] - ms_of(stage, tick) <= 100, "in the next of ten pictures a second"
    heard, rate = heard_in(file)
    assert list(find_tones(heard[rate // 2 : -rate // 4], rate)) == [600]
    assert len(times_in(file)["video"]) > 15
    played = [program("ffprobe", "ffmpeg"), "-v", "warning", "-count_frames", "-show_streams", str(file)]
    told = subprocess.run(played, capture_output=True, text=True, check=True)
    assert "codec_name=h264" in told.stdout and told.stderr == ""


@pytest.mark.parametrize("hours", [4.7, 1_200.0], ids=["past 2**24 ms", "past 2**32 ms"])
def test_streams_that_have_lasted_long_are_recorded_as_others(
    stage: Stage, tmp_path: Path, hours: float
) -> None:
    """Times then stand in a field of their own in every chunk; here some pictures have several."""
    with rtmp_server(tmp_path / "nginx") as server:
        base = -round(hours * 3_600 * RATE)
        order = AddPush("push", 2, live_wire.PushSpec(AAC, SEEN), server.port, "/live/long", base)
        stage.studio.command(order)
        stage.hear_until(lambda: bool(stage.said(Publishing)))
        words = [f"{number} " + "x" * 4_000 for number in range(12)]
        for text in words:
            stage.hear(0.2)
            stage.studio.command(Marked("push", stage.studio.tick, text))
        stage.hear(0.5)
        stage.end()
        (file,) = server.recorded("long")
    found = []
    for _, tag in flv_tags(file.read_bytes()):
        if tag[0] == PICTURE and tag[12] == 1:
            found += [content.decode() for unit in units_in(tag[11:-4]) for _, content in user_data_in(unit)]
    assert found == words
    times = times_in(file)
    assert max(b - a for a, b in zip(times["audio"], times["audio"][1:], strict=False)) < 0.03
    assert times["audio"][-1] == pytest.approx(times["video"][-1], abs=0.12)


@pytest.mark.parametrize("picture", [None, SEEN], ids=["sound", "picture"])
def test_a_real_player_gets_marks_and_levels_at_their_times(
    stage: Stage, picture: live_wire.PictureSpec | None
) -> None:
    with rtmp_probe() as probe:
        spec = live_wire.PushSpec(AAC, picture, levels=True)
        stage.studio.command(AddPush("push", 1, spec, probe.port, "/live/key"))
        stage.hear_until(lambda: bool(stage.said(Publishing)), 30)
        stage.hear(0.5)
        tick = stage.studio.tick + 2
        stage.studio.command(Marked("push", tick, WORDS, 2.5))
        stage.studio.command(Levels(tick + 1, {"ann": 73, "bob": 5}))
        stage.hear(1.0)
        stage.end()
        packets = probe.packets()
    told = [(float(one["pts_time"]), decode(one["data"])) for one in packets if one["codec_type"] == "data"]
    (mark,) = [one for one in told if one[1][0] == USER_DATA]
    assert mark[0] == pytest.approx(ms_of(stage, tick) / 1000, abs=0.002)
    began = {"at": BEGAN_MS + tick * 20.0}
    assert mark[1][1] == {"payload": WORDS, "duration": 2.5, **began}
    levels = [one for one in told if one[1][0] == SOUND_LEVELS]
    assert levels[-1][0] == pytest.approx(ms_of(stage, tick + 1) / 1000, abs=0.002)
    assert levels[-1][1][1]["levels"] == {"ann": 73.0, "bob": 5.0}
    sounds = [float(one["pts_time"]) for one in packets if one["codec_type"] == "audio"]
    assert max(b - a for a, b in zip(sounds, sounds[1:], strict=False)) < 0.03, "no frame is missing"
    order = [float(one["dts_time"]) for one in packets]
    assert order == sorted(order), "woven in the order of their times"


def test_levels_are_said_only_where_they_were_asked_for_and_again_to_who_comes(
    stage: Stage, peer: RtmpPeer
) -> None:
    with rtmp_peer() as other:
        stage.push(peer.port, live_wire.PushSpec(AAC, levels=True))
        stage.push(other.port, live_wire.PushSpec(AAC), name="without")
        stage.hear_until(lambda: len(stage.said(Publishing)) == 2)
        stage.studio.command(Levels(stage.studio.tick, {"ann": 50}))
        stage.hear(1.0)
        peer.wait(lambda: notes_of(peer, SOUND_LEVELS)[-1][1]["levels"] == {"ann": 50.0})
        before = len(notes_of(peer, SOUND_LEVELS))
        stage.push(peer.port, live_wire.PushSpec(AAC, levels=True), attempt=2, base=0)
        stage.hear_until(lambda: len(notes_of(peer, SOUND_LEVELS)) > before)
        assert notes_of(peer, SOUND_LEVELS)[-1][1]["levels"] == {"ann": 50.0}
        assert notes_of(other, SOUND_LEVELS) == [] and other.of(SOUND)


def test_a_flood_of_marks_is_bounded_and_holds_up_nobody(stage: Stage, peer: RtmpPeer) -> None:
    stage.push(peer.port, live_wire.PushSpec(AAC, SEEN))
    stage.hear_until(lambda: bool(stage.said(Publishing)))
    for number in range(5_000):
        stage.studio.command(Marked("push", stage.studio.tick, str(number)))
    stage.studio.command(Marked("nobody", stage.studio.tick, "x"))
    stage.hear(1.0)
    stage.studio.command(Marked("push", stage.studio.tick, "later"))
    stage.hear(1.0)
    stage.end()
    said = [told["payload"] for _, told in notes_of(peer, USER_DATA)]
    assert said == [*map(str, range(64)), "later"]
    times = [message.at_ms for message in peer.messages if message.kind in (METADATA, PICTURE, SOUND)]
    assert times == sorted(times)


def test_a_mark_from_before_a_hole_comes_before_what_comes_after_it(stage: Stage, peer: RtmpPeer) -> None:
    stage.push(peer.port, live_wire.PushSpec(AAC, SEEN))
    stage.hear_until(lambda: bool(stage.said(Publishing)))
    stage.hear(0.5)
    stage.studio.command(Marked("push", stage.studio.tick, "before"))
    stage.studio.skip(400)
    stage.hear(1.0)
    stage.end()
    ((at_ms, told),) = notes_of(peer, USER_DATA)
    assert told["payload"] == "before"
    times = [message.at_ms for message in peer.media]
    jump = max(range(1, len(times)), key=lambda n: times[n] - times[n - 1])
    assert times[jump] - times[jump - 1] > 7_000 and times[jump - 1] <= at_ms <= times[jump]


# --- as the server orders it ---


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[LiveHouse]:
    house = LiveHouse(tmp_path)
    yield house
    await house.close()


def spec(peer: RtmpPeer, stream_id: str = "stream-1", **more: Any) -> PushSpec:
    return PushSpec(f"rtmp://127.0.0.1:{peer.port}/live/key", SoundCoding(), None, stream_id, **more)


async def test_a_stream_is_marked_by_its_id_while_it_is_published(house: LiveHouse, peer: RtmpPeer) -> None:
    room = house.room()
    with pytest.raises(BadInput, match="not begun"):
        house.outputs.mark("stream-1", "vote", 0.0)
    push = await room.start(spec(peer))
    with pytest.raises(BadInput, match="not published at the moment"):
        house.outputs.mark("stream-1", "vote", 0.0)
    await room.run_until(lambda: push.look().state == "running")
    await room.run(1.0)
    house.outputs.mark("stream-1", "vote", 3.0)
    await room.run_until(lambda: bool(notes_of(peer, USER_DATA)))
    ((at_ms, told),) = notes_of(peer, USER_DATA)
    assert (told["payload"], told["duration"]) == ("vote", 3.0)
    heard = max(message.at_ms for message in peer.media)
    assert heard - 1_000 <= at_ms <= heard + 200
    await room.stop(push)
    with pytest.raises(BadInput, match="has ended"):
        house.outputs.mark("stream-1", "vote", 0.0)


async def test_hls_is_marked_in_its_playlist_and_with_less(house: LiveHouse) -> None:
    room = house.room()
    hls = await room.start(HlsSpec("stream-2", SoundCoding(), PictureCoding(320, 180), segment_s=1.0))
    await room.run_until(lambda: hls.look().figures.get("segments", 0) >= 1)
    house.outputs.mark("stream-2", "vote", 0.0)
    with pytest.raises(BadInput, match="at most 1000 characters"):
        house.outputs.mark("stream-2", "x" * 1_001, 0.0)
    answer = await house.shelf.answer("stream-2", "media.m3u8", {})
    assert b"EXT-X-DATERANGE" in answer.body
    await room.stop(hls)


async def test_levels_are_told_when_they_change_and_to_another_encoder_too(
    house: LiveHouse, peer: RtmpPeer
) -> None:
    room = house.room()
    room.loudness = {"ann": 0}
    push = await room.start(spec(peer, levels=True))
    await room.run_until(lambda: push.look().state == "running")
    await room.run(1.0)
    quiet = len(notes_of(peer, SOUND_LEVELS))
    assert quiet <= 1, "silence is no news"
    room.loudness = {"ann": 80, "bob": 0, **{f"guest {n}": n % 7 + 1 for n in range(100)}}
    await room.run_until(lambda: len(notes_of(peer, SOUND_LEVELS)) > quiet)
    await room.run(1.0)
    said = notes_of(peer, SOUND_LEVELS)[quiet:]
    assert len(said) == 1, "nothing has changed since"
    levels = said[0][1]["levels"]
    assert levels["ann"] == 80.0 and len(levels) == 50 and "bob" not in levels
    assert min(levels.values()) >= 4, "the loudest of them"
    room.loudness = {}
    for loudness in range(40):
        room.loudness = {"ann": loudness}
        await room.run(0.1)
    changes = notes_of(peer, SOUND_LEVELS)[quiet + 1 :]
    assert math.isclose(len(changes), 20, abs_tol=4), "five times a second"
    house.encoder()._child.kill()  # type: ignore[union-attr]
    before = len(notes_of(peer, SOUND_LEVELS))
    await room.run_until(lambda: len(notes_of(peer, SOUND_LEVELS)) > before, within_s=30)
    assert notes_of(peer, SOUND_LEVELS)[-1][1]["levels"] == {"ann": 39.0}
    await room.stop(push)
