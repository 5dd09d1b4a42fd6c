"""A live room that publishes: to nginx, which records what it hears, and to a peer that does things wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.errors import BadInput
from bridge.outputs.live_wire import (
    AddPush,
    Closed,
    HlsSpec,
    PictureSpec,
    Publishing,
    PushEnded,
    PushLook,
    PushSpec,
    SoundSpec,
    decode_command,
    encode,
)
from bridge.outputs.record import Joined
from bridge.rtmp.chunks import METADATA, PICTURE, SOUND, USER_CONTROL
from tests.kit.live_house import heard_in, times_in
from tests.kit.live_room import FRAME, RATE, brightness_in
from tests.kit.push_stage import KEY, LOUD, Stage
from tests.kit.rtmp_peer import RtmpPeer, rtmp_peer
from tests.kit.rtmp_server import RtmpServer, rtmp_server
from tests.kit.tones import click_score, find_tones, level_of

pytestmark = pytest.mark.wire

AAC, MP3, OPUS = SoundSpec("aac"), SoundSpec("mp3", rate_hz=44_100), SoundSpec("opus")
PICTURE_SPEC = PictureSpec(320, 180)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.studio.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("rtmp") / "nginx") as running:
        yield running


@pytest.mark.parametrize("picture", [None, PICTURE_SPEC], ids=["sound", "picture"])
@pytest.mark.parametrize("sound", [AAC, MP3, OPUS], ids=lambda spec: spec.codec)
def test_what_is_said_is_heard_where_it_is_published(
    server: RtmpServer, tmp_path: Path, sound: SoundSpec, picture: PictureSpec | None
) -> None:
    name = f"{sound.codec}-{'seen' if picture else 'heard'}"
    studio = Stage(tmp_path)
    studio.studio.command(AddPush("push", 1, PushSpec(sound, picture), server.port, f"/live/{name}"))
    studio.hear_until(lambda: bool(studio.said(Publishing)))
    studio.hear(2.0)
    studio.end()
    assert studio.said(Closed) == [Closed("push")]
    (file,) = server.recorded(name)
    heard, rate = heard_in(file)
    assert rate == sound.rate_hz
    middle = heard[rate // 2 : -rate // 4]
    assert list(find_tones(middle, rate)) == [600]
    assert level_of(middle, rate, 600) == pytest.approx(8_000, rel=0.06)
    assert click_score(middle, rate, 600) < 0.5, "no frame is missing"
    times = times_in(file)
    assert len(heard) / rate == pytest.approx(times["audio"][-1], abs=0.1)
    assert len(times["video"]) == (
        0 if picture is None else pytest.approx(10 * times["video"][-1] + 1, abs=1)
    )
    if picture is not None:
        assert times["key"][0] == times["video"][0] == 0.0, "it begins with a key frame"
        assert 0 <= times["audio"][0] < 0.03


def test_sound_and_picture_belong_together(server: RtmpServer, stage: Stage) -> None:
    """Somebody joins and speaks in the same moment."""
    stage.studio.command(AddPush("push", 1, PushSpec(AAC, PICTURE_SPEC), server.port, "/live/step"))
    silence = np.zeros(RATE // 10, np.float32)
    while not stage.said(Publishing) or stage.studio.tick % 50 != 25:
        stage.studio.hear(silence)
        time.sleep(0.02)
    stage.studio.hear(LOUD[: RATE // 2], [Joined(stage.studio.tick, "ann", "Ann")])
    stage.studio.hear(LOUD[RATE // 2 : RATE])
    stage.end()
    (file,) = server.recorded("step")
    bright = next(at for at, level in brightness_in(file.read_bytes()) if level > 60)
    heard, rate = heard_in(file)
    # The first frame's time is that of the file's first sample.
    onset = np.flatnonzero(np.abs(heard) > 2_000)[0] / rate + times_in(file)["audio"][0]
    assert bright == pytest.approx(onset, abs=0.03)


@pytest.fixture
def peer() -> Iterator[RtmpPeer]:
    with rtmp_peer() as running:
        yield running


def test_times_go_on_by_the_rooms_clock_after_a_lost_connection(peer: RtmpPeer, stage: Stage) -> None:
    stage.push(peer.port, PushSpec(AAC, PICTURE_SPEC))
    stage.hear_until(lambda: len(peer.media) > 100)
    peer.hang_up()
    stage.hear_until(lambda: bool(stage.said(PushEnded)))
    assert stage.said(PushEnded) == [PushEnded("push", 1)]
    assert stage.studio.room.figures == (1, 1, 1)
    stage.hear(3.0)
    assert stage.studio.room.figures == (0, 0, 0), "nothing is coded for nobody"
    began = stage.studio.tick
    (published,) = stage.said(Publishing)
    assert isinstance(published, Publishing)
    before = len(peer.messages)
    stage.push(peer.port, PushSpec(AAC, PICTURE_SPEC), attempt=2, base=published.base)
    stage.hear_until(lambda: len(stage.said(Publishing)) == 2 and len(peer.messages) > before + 50)
    assert stage.said(Publishing)[1] == Publishing("push", 2, published.base)
    kinds = [message.kind for message in peer.messages[before:] if message.kind in (METADATA, PICTURE, SOUND)]
    assert kinds[:4] == [METADATA, PICTURE, SOUND, PICTURE], "described anew, then a key frame"
    first_at = next(message.at_ms for message in peer.messages[before:] if message.kind == PICTURE)
    clock_ms = (began * FRAME - published.base) * 1000 / RATE
    assert clock_ms - 20 <= first_at < clock_ms + 1_500
    times = [message.at_ms for message in peer.messages[before:] if message.kind in (PICTURE, SOUND)]
    assert max(np.diff(times)) < 130 and min(np.diff(times)) >= 0, "woven in the order of their times"


def test_a_hole_moves_the_times_by_its_length(peer: RtmpPeer, stage: Stage) -> None:
    stage.push(peer.port, PushSpec(AAC))
    stage.hear_until(lambda: len(peer.media) > 50)
    stage.studio.skip(100)
    stage.hear(1.0)
    stage.end()
    times = [message.at_ms for message in peer.of(SOUND)]
    assert max(np.diff(times)) == pytest.approx(2_000, abs=60)
    assert stage.said(PushEnded) == []


def test_the_end_is_said_after_the_last_words(peer: RtmpPeer, stage: Stage) -> None:
    stage.push(peer.port, PushSpec(AAC))
    stage.hear_until(lambda: bool(stage.said(Publishing)))
    stage.hear(1.0)
    stage.end()
    assert [command[0] for command in peer.commands][-2:] == ["FCUnpublish", "deleteStream"]
    base = stage.said(Publishing)[0].base  # type: ignore[union-attr]
    last_ms = (stage.studio.tick * FRAME - base) * 1000 / RATE
    assert peer.media[-1].at_ms > last_ms - 60
    assert stage.said(Closed) == [Closed("push")]


def test_pings_are_answered_while_it_publishes(peer: RtmpPeer, stage: Stage) -> None:
    stage.push(peer.port, PushSpec(AAC))
    stage.hear_until(lambda: bool(stage.said(Publishing)))
    peer.ping(77)
    peer.wait(lambda: bool(peer.of(USER_CONTROL)), 2.0)
    assert peer.of(USER_CONTROL)[0].body == b"\x00\x07\x00\x00\x00\x4d"


def test_a_refusal_is_told_by_its_code_and_holds_no_key(stage: Stage) -> None:
    with rtmp_peer("NetStream.Publish.BadName") as peer:
        stage.push(peer.port, PushSpec(AAC))
        stage.hear_until(lambda: bool(stage.said(PushEnded)))
    assert stage.said(PushEnded) == [PushEnded("push", 1, "the peer refused it: NetStream.Publish.BadName")]
    assert not stage.said(Publishing)


def test_a_peer_that_hangs_holds_up_nobody_and_is_dropped_from(stage: Stage, tmp_path: Path) -> None:
    with rtmp_peer(reads=False) as peer:
        stage.push(peer.port, PushSpec(SoundSpec("aac", 320_000), PictureSpec(bitrate=2_000_000)))
        stage.studio.add("hls", HlsSpec(segment_s=1.0))
        stage.hear_until(lambda: bool(stage.said(Publishing)))
        began, ticks = time.monotonic(), stage.studio.tick
        for _ in range(12):  # of a second each, as fast as it goes
            noise = np.random.default_rng(1).integers(-20_000, 20_000, RATE)
            stage.studio.hear(noise.astype(np.float32))
        took = time.monotonic() - began
        assert took < 6.0 and stage.studio.tick - ticks == 600
        assert len(stage.studio.segments("hls")) >= 10
        looks = stage.said(PushLook)
        assert max(look.waiting_ms for look in looks) > 1_000  # type: ignore[union-attr]
        began = time.monotonic()
        stage.end()
        assert time.monotonic() - began < 5.0, "the end is not waited for without end"


def test_a_peer_that_ceases_to_say_what_it_reads_is_given_up(stage: Stage) -> None:
    with rtmp_peer() as peer:
        stage.push(peer.port, PushSpec(SoundSpec("aac", 256_000)), stalled_s=0.5)
        stage.hear_until(lambda: bool(stage.said(Publishing)))
        for _ in range(3):
            stage.hear(0.3)
            peer.acknowledge()
        stage.hear_until(lambda: bool(stage.said(PushEnded)))
    assert stage.said(PushEnded) == [PushEnded("push", 1, "the peer does not read what it is sent")]


def test_nobody_there_is_noticed_at_once(stage: Stage) -> None:
    stage.push(9, PushSpec(AAC))
    stage.hear_until(lambda: bool(stage.said(PushEnded)))
    assert stage.said(PushEnded) == [PushEnded("push", 1)]


def test_the_key_is_in_no_words_of_the_order() -> None:
    order = AddPush("push", 1, PushSpec(AAC), 9, f"/live/{KEY}")
    assert KEY not in repr(order)
    assert decode_command(encode(order)) == order


@pytest.mark.parametrize("sound", [SoundSpec("flac"), SoundSpec("mp3"), SoundSpec("opus", rate_hz=44_100)])
def test_what_rtmp_does_not_have_is_refused(sound: SoundSpec) -> None:
    with pytest.raises(BadInput, match="RTMP has"):
        PushSpec(sound)
