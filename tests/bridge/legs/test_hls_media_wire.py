"""Playlists as players read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BadInput
from bridge.legs.hls_media_wire import (
    Key,
    MasterPlaylist,
    MediaPlaylist,
    Place,
    is_playlist,
    read_playlist,
)

pytestmark = pytest.mark.unit

BASE = "https://media.example/a/live.m3u8?token=t"


def media(*lines: str) -> MediaPlaylist:
    playlist = read_playlist("\n".join(["#EXTM3U", *lines]).encode(), BASE)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def master(*lines: str) -> MasterPlaylist:
    playlist = read_playlist("\n".join(["#EXTM3U", *lines]).encode(), BASE)
    assert isinstance(playlist, MasterPlaylist)
    return playlist


def test_segments_have_addresses_numbers_and_durations() -> None:
    playlist = media(
        "#EXT-X-VERSION:3",
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:17",
        "#EXTINF:5.96,a title, with a comma",
        "x.ts",
        "",
        "# a comment",
        "#EXTINF:6,",
        "/b/y.ts?z=1",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:6",
        "https://other.example/z.ts\r",
    )
    assert (playlist.first, playlist.target_s, playlist.ended) == (17, 6.0, False)
    assert playlist.hold_back_s == 18.0
    assert [segment.place.url for segment in playlist.segments] == [
        "https://media.example/a/x.ts",
        "https://media.example/b/y.ts?z=1",
        "https://other.example/z.ts",
    ]
    assert [segment.seconds for segment in playlist.segments] == [5.96, 6.0, 6.0]
    assert [segment.apart for segment in playlist.segments] == [False, False, True]


def test_parts_of_a_resource_follow_each_other() -> None:
    playlist = media(
        '#EXT-X-MAP:URI="a.mp4",BYTERANGE="800@0"',
        "#EXT-X-BYTERANGE:1000@800", "#EXTINF:1,", "a.mp4",
        "#EXT-X-BYTERANGE:500", "#EXTINF:1,", "a.mp4",
        "#EXTINF:1,", "#EXT-X-BYTERANGE:70@5", "b.mp4",
        "#EXTINF:1,", "#EXT-X-BYTERANGE:7", "b.mp4",
    )  # fmt: skip
    a, b = "https://media.example/a/a.mp4", "https://media.example/a/b.mp4"
    assert playlist.segments[0].header == Place(a, 0, 800)
    assert [segment.place for segment in playlist.segments] == [
        Place(a, 800, 1000),
        Place(a, 1800, 500),
        Place(b, 5, 70),
        Place(b, 75, 7),
    ]


def test_how_it_is_encrypted_is_known_of_every_segment() -> None:
    playlist = media(
        "#EXT-X-MEDIA-SEQUENCE:300",
        "#EXTINF:1,", "a.ts",
        '#EXT-X-KEY:METHOD=AES-128,URI="key,with,commas",IV=0x1F', "#EXTINF:1,", "b.ts",
        '#EXT-X-MAP:URI="i.mp4"',
        '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k"', "#EXTINF:1,", "c.ts",
        "#EXTINF:1,", "#EXT-X-BYTERANGE:7@5", "d.ts",
        "#EXT-X-KEY:METHOD=NONE", "#EXT-X-GAP", "#EXTINF:1,", "e.ts",
        "#EXTINF:1,", "f.ts",
        "#EXT-X-ENDLIST",
    )  # fmt: skip
    own = Key("AES-128", "https://media.example/a/key,with,commas", bytes(15) + b"\x1f")
    keys = [segment.place.key for segment in playlist.segments]
    assert keys[:2] == [None, own]
    assert playlist.segments[2].header == Place("https://media.example/a/i.mp4", key=own)
    elsewhere = "https://keys.example/k"
    numbered = [Key("AES-128", elsewhere, n.to_bytes(16)) for n in (302, 303)]
    assert keys[2:] == [*numbered, None, None], "without a vector it is the segment's number"
    assert playlist.segments[3].place.count == 7
    assert [segment.gap for segment in playlist.segments] == [False, False, False, False, True, False]
    assert playlist.ended
    assert "keys.example" not in repr(playlist)


def test_a_header_without_a_vector_is_the_same_however_often_the_playlist_is_read() -> None:
    lines = ['#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXT-X-MAP:URI="i.mp4"', "#EXTINF:1,", "a.mp4"]
    first, later = (media(f"#EXT-X-MEDIA-SEQUENCE:{n}", *lines).segments[0] for n in (3, 4))
    assert first.header == later.header and first.place != later.place


def test_of_several_means_ours_is_taken() -> None:
    theirs = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"'
    ours = '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="identity"'
    for lines in ([theirs, ours], [ours, theirs]):
        key = media(*lines, "#EXTINF:1,", "a.ts").segments[0].place.key
        assert key is not None and key.method == "AES-128"
    key = media(theirs, "#EXTINF:1,", "a.ts").segments[0].place.key
    assert key is not None and key.method == "SAMPLE-AES"
    strange = '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="org.example"'
    key = media(strange, "#EXTINF:1,", "a.ts").segments[0].place.key
    assert key is not None and key.method == "means of others"


def test_how_far_from_the_end_is_what_the_server_says_but_not_too_near() -> None:
    target, told = "#EXT-X-TARGETDURATION:4", "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK="
    assert media(target, told + "20.5").hold_back_s == 20.5
    assert media(target, told + "1").hold_back_s == 12


def test_sound_alone_is_chosen_and_else_the_least() -> None:
    video = ['#EXT-X-STREAM-INF:BANDWIDTH=900,CODECS="avc1.4d401f,mp4a.40.2"', "video.m3u8"]
    low = ["#EXT-X-STREAM-INF:BANDWIDTH=300,RESOLUTION=1x1", "low.m3u8"]
    sound = ['#EXT-X-STREAM-INF:BANDWIDTH=950,CODECS="mp4a.40.2"', "sound.m3u8"]
    assert master(*video, *low).sound() == "https://media.example/a/low.m3u8"
    assert master(*video, *low, *sound).sound() == "https://media.example/a/sound.m3u8"
    renditions = [
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",LANGUAGE="de",NAME="d",URI="de.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",LANGUAGE="en",NAME="e",DEFAULT=YES,URI="en.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="muxed",NAME="m"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="g",NAME="s",URI="subtitles.m3u8"',
    ]
    grouped = ['#EXT-X-STREAM-INF:BANDWIDTH=900,AUDIO="g"', "video.m3u8"]
    assert master(*renditions, *grouped).sound() == "https://media.example/a/en.m3u8"


@pytest.mark.parametrize(
    "lines",
    [
        ["x.ts"],
        ["#EXTINF:nan,", "x.ts"],
        ["#EXTINF:inf,", "x.ts"],
        ["#EXTINF:1e9,", "x.ts"],
        ["#EXTINF:one,", "x.ts"],
        ["#EXT-X-MEDIA-SEQUENCE:-1"],
        ["#EXT-X-MEDIA-SEQUENCE:" + "9" * 5000],
        ["#EXT-X-BYTERANGE:x@1", "#EXTINF:1,", "x.ts"],
        ["#EXTINF:1,", "http://[::1"],
        ["#EXT-X-KEY:METHOD=AES-128", "#EXTINF:1,", "x.ts"],
        ['#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x' + "1" * 33, "#EXTINF:1,", "x.ts"],
        ['#EXT-X-KEY:METHOD=AES-128,URI="k",IV=17', "#EXTINF:1,", "x.ts"],
        ["#EXT-X-STREAM-INF:BANDWIDTH=x", "a.m3u8"],
        ["#"] * 60_000,
    ],
)
def test_what_cannot_be_is_refused(lines: list[str]) -> None:
    with pytest.raises(BadInput):
        read_playlist("\n".join(["#EXTM3U", *lines]).encode(), BASE)


def test_other_things_are_no_playlists() -> None:
    assert is_playlist(b"\xef\xbb\xbf#EXTM3U\n") and is_playlist(b"#EXTM3U8")
    for content in (b"", b"#EXT", b"<html>", b"FLV\x01"):
        assert not is_playlist(content)
        with pytest.raises(BadInput):
            read_playlist(content, BASE)
    with pytest.raises(BadInput):
        master("#EXT-X-STREAM-INF:BANDWIDTH=1").sound()


_TAGS = st.sampled_from(
    [
        "#EXTINF:", "#EXT-X-BYTERANGE:", "#EXT-X-MAP:", "#EXT-X-KEY:METHOD=", "#EXT-X-STREAM-INF:", "",
        "#EXT-X-MEDIA:", "#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-TARGETDURATION:", "#EXT-X-ENDLIST",
        "#EXT-X-SERVER-CONTROL:HOLD-BACK=",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_TAGS, st.text(max_size=30))))
def test_whatever_comes_is_read_or_refused(lines: list[tuple[str, str]]) -> None:
    content = "\n".join(["#EXTM3U", *(tag + rest for tag, rest in lines)]).encode()
    try:
        playlist = read_playlist(content, BASE)
    except BadInput:
        return
    if isinstance(playlist, MediaPlaylist):
        assert all(segment.seconds >= 0 for segment in playlist.segments)
