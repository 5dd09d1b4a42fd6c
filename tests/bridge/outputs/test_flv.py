"""FLV's tags, held against those that FFmpeg writes of the same frames."""

from __future__ import annotations

import io
from typing import Literal

import av
import numpy as np
import pytest

from bridge.outputs.encoders import put
from bridge.outputs.flv import FlvStream, Tag
from bridge.outputs.live_codings import PictureCoding, SoundCoding
from bridge.outputs.live_wire import PictureSpec, SoundSpec
from bridge.outputs.scene import View
from bridge.rtmp.amf0 import decode
from bridge.rtmp.chunks import METADATA, PICTURE, SOUND
from tests.kit.live_room import CountingPainter
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

PICTURE_SPEC = PictureSpec(320, 180)
SOUNDS = [
    SoundSpec("aac"),
    SoundSpec("aac", channels=2),
    SoundSpec("mp3", rate_hz=44_100),
    SoundSpec("mp3", channels=2, rate_hz=44_100),
    SoundSpec("opus"),
]


def coded(spec: SoundSpec) -> tuple[list[Tag], list[tuple[int, bytes]], FlvStream]:
    """Tags of ours, FFmpeg's (kind, body), and what ours are of."""
    sound, picture = (
        SoundCoding(spec, 0),
        PictureCoding(PICTURE_SPEC, 0, CountingPainter(PICTURE_SPEC)),
    )
    stream = FlvStream(sound.track, picture.track, spec, PICTURE_SPEC)
    pcm = tone(600, 2.0, 48_000).astype(np.int16)
    heard, seen = sound.encode(pcm), picture.encode(100, lambda tick: View())
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        pictures, sounds = picture.encoder.add_to(container), sound.encoder.add_to(container)
        put(container, pictures, seen.packets)
        put(container, sounds, heard.packets)
    tags = [*stream.opening(0), *map(stream.picture_tag, seen.units), *map(stream.sound_tag, heard.units)]
    return tags, list(tags_of(file.getvalue())), stream


def tags_of(file: bytes) -> list[tuple[int, bytes]]:
    """FLV's file format: after 9 + 4 bytes, tags of an 11-byte header, a body, and a size."""
    tags, at = [], 13
    while at + 11 <= len(file):
        length = int.from_bytes(file[at + 1 : at + 4])
        tags.append((file[at], file[at + 11 : at + 11 + length]))
        at += 11 + length + 4
    return tags


@pytest.mark.parametrize("spec", SOUNDS, ids=lambda spec: f"{spec.codec}{spec.channels}")
def test_sound_is_written_as_ffmpeg_writes_it(spec: SoundSpec) -> None:
    ours, theirs, _ = coded(spec)
    expected = [body for kind, body in theirs if kind == SOUND]
    # Ours tells no channel layout of Opus: mono and stereo need none.
    expected = [body for body in expected if spec.codec != "opus" or body[0] & 0x0F != 4]
    found = [tag.body for tag in ours if tag.kind == SOUND]
    assert found == expected[: len(found)] and len(expected) - len(found) <= 1
    assert len(found) > 70


def test_pictures_are_written_as_ffmpeg_writes_them() -> None:
    ours, theirs, _ = coded(SOUNDS[0])
    expected = [body for kind, body in theirs if kind == PICTURE]
    found = [tag.body for tag in ours if tag.kind == PICTURE]
    assert found[0] == expected[0], "what a decoder has to know"
    assert found[1][:5] == expected[1][:5] == b"\x17\x01\x00\x00\x00"
    # FFmpeg leaves the parameter sets and notes of the encoder in the pictures; sizes differ, slices do not.
    for mine, other in zip(found[1:], expected[1:], strict=False):
        assert mine[:5] == other[:5] and other.endswith(mine[-40:])
    assert [tag.key for tag in ours if tag.kind == PICTURE][1:12] == [True, *[False] * 9, True]


@pytest.mark.parametrize("codec", ["aac", "mp3", "opus"])
def test_the_stream_is_described_first(codec: Literal["aac", "mp3", "opus"]) -> None:
    spec = next(spec for spec in SOUNDS if spec.codec == codec)
    ours, _, _ = coded(spec)
    assert ours[0].kind == METADATA
    command, name, told = decode(ours[0].body)
    assert (command, name) == ("@setDataFrame", "onMetaData")
    assert isinstance(told, dict)
    assert told["width"] == 320 and told["framerate"] == 10 and told["audiosamplerate"] == spec.rate_hz
    assert told["audiocodecid"] == {"aac": 10, "mp3": 2, "opus": int.from_bytes(b"Opus")}[codec]


def test_sound_alone_says_nothing_of_pictures() -> None:
    spec = SOUNDS[0]
    sound = SoundCoding(spec, 0)
    opening = FlvStream(sound.track, None, spec, None).opening(480)
    assert [tag.kind for tag in opening] == [METADATA, SOUND]
    assert all(tag.at == 480 for tag in opening)
    assert "width" not in decode(opening[0].body)[2]  # type: ignore[operator]
