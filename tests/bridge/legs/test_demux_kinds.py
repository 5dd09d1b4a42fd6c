"""What a file is, told by its first bytes; FLV without its pictures; and what a demuxer reads."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bridge.legs.demux_flv import HEADER, FlvSound
from bridge.legs.demux_kinds import CODECS, PEEK_BYTES, kind_of, options_of
from bridge.legs.demux_reader import MUCH_WITHOUT_SOUND, AnywhereReader, FlvReader, ForwardReader, TooMuch
from tests.kit.media_site import flv_file, flv_tags
from tests.kit.players import coded
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("container", "codec", "demuxer"),
    [
        ("wav", "pcm_s16le", "wav"),
        ("mp3", "libmp3lame", "mp3"),
        ("mp4", "aac", "mov"),
        ("ogg", "libopus", "ogg"),
        ("flac", "flac", "flac"),
        ("flv", "aac", "flv"),
        ("mpegts", "aac", "mpegts"),
        ("adts", "aac", "aac"),
    ],
)
def test_files_are_told_by_their_first_bytes(container: str, codec: str, demuxer: str) -> None:
    made = coded(tone(440, 0.2, 48_000), container, codec)
    kind = kind_of(made[:PEEK_BYTES])
    assert kind is not None and kind.demuxer == demuxer


@pytest.mark.parametrize(
    ("beginning", "demuxer"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xfb\x90\x64", "mp3"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xf1\x50\x80", "aac"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x02xxfLaC", "flac"),
        (b"ID3\x04\x00\x00\x00\x7f\x7f\x7f" + bytes(4086), "mp3"),
        (b"\x00\x00\x00\x18styp", "mov"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"\xff\xf9\x50\x80", "aac"),
        (b"\xff\xf3\x40\xc0", "mp3"),
    ],
)
def test_tags_and_variants_are_seen_through(beginning: bytes, demuxer: str) -> None:
    kind = kind_of(beginning)
    assert kind is not None and kind.demuxer == demuxer


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\xff",
        b"#EXTM3U\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD>",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"root:x:0:0:root:/root:/bin/sh\n",
        b"G" + bytes(400),
        b"RIFF\x00\x00\x00\x00AVI ",
        b"\x1aE\xdf\xa3",
        b"%PDF-1.7",
    ],
)
def test_nothing_else_is_opened(beginning: bytes) -> None:
    assert kind_of(beginning) is None


def test_a_demuxer_may_open_nothing_itself() -> None:
    kind = kind_of(b"FLV\x01")
    assert kind is not None
    for hurried in (False, True):
        options = options_of(kind, hurried)
        assert options["protocol_whitelist"] == "none"
        assert options["format_whitelist"] == "flv"
        assert set(options["codec_whitelist"].split(",")) == CODECS
    assert not [name for name in CODECS if name.startswith(("h26", "hevc", "vp", "av1", "mjpeg", "png"))]


def test_pictures_are_left_out_of_flv_however_it_is_cut(tmp_path: Path) -> None:
    flv = flv_file(tmp_path / "a.flv", tone(440, 1.0, 48_000))
    wanted = HEADER + b"".join(tag for _, tag in flv_tags(flv) if tag[0] == 8)
    assert len(wanted) < len(flv)
    for size in (1, 7, 1000, len(flv)):
        filtered = FlvSound()
        assert b"".join(filtered.feed(flv[at : at + size]) for at in range(0, len(flv), size)) == wanted


def test_what_is_no_flv_is_refused() -> None:
    with pytest.raises(ValueError, match="not FLV"):
        FlvSound().feed(b"<html><body>")
    with pytest.raises(ValueError, match="too long"):
        FlvSound().feed(HEADER + b"\x08\xff\xff\xff" + bytes(7))


class Served:
    """Bytes at the other end of a link; few at a time."""

    def __init__(self, content: bytes, most: int = 1_000) -> None:
        self.content = content
        self.most = most
        self.asked: list[tuple[int, int]] = []

    def __call__(self, at: int, count: int) -> bytes:
        self.asked.append((at, count))
        return self.content[at : at + min(count, self.most)]


def test_a_reader_gives_what_was_peeked_at_first() -> None:
    content = bytes(range(256)) * 20
    served = Served(content, 100)
    reader = ForwardReader(lambda at, count: served(at, count))
    assert reader.peek(250) == content[:250]
    got = b""
    while piece := reader.read(300):
        got += piece
    assert got == content
    assert not hasattr(reader, "seek")


def test_a_reader_of_a_file_goes_anywhere_within_it() -> None:
    content = bytes(range(256)) * 20
    reader = AnywhereReader(Served(content), len(content))
    assert reader.peek(10) == content[:10] and reader.tell() == 0
    assert reader.seek(-6, io.SEEK_END) == 5114
    assert reader.read(100) == content[-6:]
    assert reader.read(100) == b""
    reader.seek(10)
    assert reader.seek(5, io.SEEK_CUR) == 15
    assert reader.read(2) == content[15:17]
    reader.seek(1 << 60)
    assert reader.read(10) == b""
    with pytest.raises(ValueError, match="before the beginning"):
        reader.seek(-1)


def test_much_that_is_no_sound_is_enough() -> None:
    reader = ForwardReader(lambda at, count: bytes(1 << 20))
    for _ in range(40):
        reader.read(1 << 20)
    reader.sounded()
    with pytest.raises(TooMuch):
        for _ in range(100):
            reader.read(1 << 20)
    assert MUCH_WITHOUT_SOUND < 100 << 20


def test_a_reader_of_flv_waits_for_sound(tmp_path: Path) -> None:
    flv = flv_file(tmp_path / "a.flv", tone(440, 0.5, 48_000))
    reader = FlvReader(ForwardReader(Served(flv, 50)))
    got = b""
    while piece := reader.read(64):
        assert len(piece) <= 64
        got += piece
    assert got == FlvSound().feed(flv)
