from __future__ import annotations

import re

import pytest

from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_master import MasterPlaylist, Subtitles, Variant
from bridge.outputs.hls_playlist import MediaPlaylist, Part, Report, Segment, ServerControl, Skip
from bridge.outputs.hls_tags import date_time
from tests.kit.hls_reader import attributes_of, faults, read

pytestmark = pytest.mark.wire

MORNING_MS = 1_675_668_251_259.0


def segment(number: int, **more: object) -> Segment:
    began_ms = MORNING_MS + 4_000 * number
    return Segment(number, f"s{number}.m4s", 4.0, began_ms, map_uri="h0.mp4", **more)  # type: ignore[arg-type]


def test_a_sliding_playlist_as_a_whole() -> None:
    playlist = MediaPlaylist(
        4, (segment(7), segment(8, discontinuity=True)), sequence=7, discontinuity_sequence=2
    )
    assert playlist.text() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
        '#EXT-X-MAP:URI="h0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-02-06T07:24:39.259Z\n"
        "#EXTINF:4.000000,\n"
        "s7.m4s\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="h0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-02-06T07:24:43.259Z\n"
        "#EXTINF:4.000000,\n"
        "s8.m4s\n"
    )


def test_a_low_latency_playlist_as_a_whole() -> None:
    parts = (Part("p8.0.m4s", 2.0, True), Part("p8.1.m4s", 2.0, False))
    playlist = MediaPlaylist(
        4,
        (segment(8, parts=parts),),
        sequence=8,
        part_target_s=2.0,
        open_parts=(Part("p9.0.m4s", 2.0, True),),
        open_began_ms=MORNING_MS,
        open_map_uri="h0.mp4",
        hint_uri="p9.1.m4s",
        control=ServerControl(skip_until_s=24.0, part_hold_back_s=6.0),
        reports=(Report("captions.m3u8", 8),),
    )
    assert playlist.text(query="token=ab") == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=6\n"
        "#EXT-X-PART-INF:PART-TARGET=2\n"
        "#EXT-X-MEDIA-SEQUENCE:8\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="h0.mp4?token=ab"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-02-06T07:24:43.259Z\n"
        '#EXT-X-PART:DURATION=2.000000,URI="p8.0.m4s?token=ab",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=2.000000,URI="p8.1.m4s?token=ab"\n'
        "#EXTINF:4.000000,\n"
        "s8.m4s?token=ab\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-02-06T07:24:11.259Z\n"
        '#EXT-X-PART:DURATION=2.000000,URI="p9.0.m4s?token=ab",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p9.1.m4s?token=ab"\n'
        '#EXT-X-RENDITION-REPORT:URI="captions.m3u8?token=ab",LAST-MSN=8\n'
    )


def test_an_event_ends_as_video_on_demand() -> None:
    playlist = MediaPlaylist(4, (segment(0),), kind="vod", ended=True, hint_uri="p1.0.m4s")
    text = playlist.text()
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in text
    assert text.endswith("s0.m4s\n#EXT-X-ENDLIST\n")


def test_a_delta_update_names_what_is_left_out_and_what_is_gone() -> None:
    ranges = (DateRange("old", MORNING_MS), DateRange("new", MORNING_MS))
    playlist = MediaPlaylist(4, tuple(segment(n) for n in range(4)), date_ranges=ranges)
    text = playlist.text(Skip(3, frozenset({"old"}), ("gone", "gone too")))
    assert '#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES="gone\tgone too"\n' in text
    assert "#EXT-X-VERSION:10\n" in text
    assert "s2.m4s" not in text and "s3.m4s" in text
    assert "#EXT-X-MAP" not in text, "the header of what is skipped still holds"
    assert '"new"' in text and '"old"' not in text


def test_a_missing_segment_is_marked() -> None:
    text = MediaPlaylist(4, (segment(0, gap=True),)).text()
    assert "#EXT-X-GAP\n#EXTINF:4.000000,\n" in text and "#EXT-X-VERSION:8" in text


# --- timed metadata ---


def test_a_date_range_is_found_by_the_expression_a_vendors_player_uses() -> None:
    line = DateRange(
        "8b3c", MORNING_MS, 5, (("X-100MSLIVE-PAYLOAD", "eyJwYXlsb2FkIjoiIn0="),), kind="poll"
    ).line()
    fixed = re.compile(
        r'#EXT-X-DATERANGE:ID="(?P<id>.+?)",START-DATE="(?P<start>.+?)",DURATION=(?P<duration>[\d.]+),'
        r'X-100MSLIVE-PAYLOAD="(?P<payload>.+?)"'
    )
    found = fixed.match(line)
    assert found is not None
    assert found.groupdict() == {
        "id": "8b3c",
        "start": "2023-02-06T07:24:11.259Z",
        "duration": "5",
        "payload": "eyJwYXlsb2FkIjoiIn0=",
    }


def test_a_date_range_tells_all_it_has_in_their_kinds() -> None:
    line = DateRange(
        "a", MORNING_MS, None, (("X-TEXT", "t"), ("X-NUMBER", 1.5), ("X-BYTES", b"\x01\xff")),
        end_ms=MORNING_MS + 1_000, planned_duration_s=1.0, kind="ad",
    ).line()  # fmt: skip
    assert 'X-TEXT="t",X-NUMBER=1.5,X-BYTES=0x01FF' in line
    assert attributes_of(line.partition(":")[2])["END-DATE"] == "2023-02-06T07:24:12.259Z"


@pytest.mark.parametrize(
    "wrong",
    [
        DateRange('a"b', MORNING_MS),
        DateRange("a\nb", MORNING_MS),
        DateRange("a", MORNING_MS, -1.0),
        DateRange("a", MORNING_MS, float("nan")),
        DateRange("a", MORNING_MS, 1.0, (("PAYLOAD", "x"),)),
        DateRange("a", MORNING_MS, 1.0, (("X-a", "x"),)),
        DateRange("a", MORNING_MS, 1.0, (("X-A", "x"), ("X-A", "y"))),
        DateRange("a", MORNING_MS, 1.0, (("X-A", 'x",DURATION=9,X-B="'),)),
        DateRange("a", MORNING_MS, end_on_next=True),
        DateRange("a", MORNING_MS, 1.0, kind="k", end_on_next=True),
    ],
)
def test_what_cannot_be_written_in_a_date_range_is_refused(wrong: DateRange) -> None:
    with pytest.raises(ValueError):
        wrong.line()


def test_dates_keep_their_milliseconds() -> None:
    assert date_time(0) == "1970-01-01T00:00:00.000Z"
    assert date_time(1_699_999_999_999.6) == "2023-11-14T22:13:20.000Z"


def test_a_uri_that_would_need_escapes_is_refused() -> None:
    for uri in ("a b", 'a"', "a\n#EXT-X-ENDLIST", "", "ä"):
        with pytest.raises(ValueError):
            MediaPlaylist(4, (Segment(0, uri, 4.0, 0.0),)).text()


# --- the master playlist ---


def test_the_master_playlist_with_captions_as_a_vendor_writes_it() -> None:
    master = MasterPlaylist(
        [Variant("media.m3u8", 600_000, "avc1.64001E,mp4a.40.2", 400_000, 640, 360, 10.0)],
        Subtitles("captions.m3u8"),
    )
    assert master.text() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",LANGUAGE="en-US",NAME="English CC (auto)",'
        'AUTOSELECT=YES,DEFAULT=YES,URI="captions.m3u8",FORCED=NO,'
        'CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog"\n'
        "#EXT-X-STREAM-INF:RESOLUTION=640x360,BANDWIDTH=600000,AVERAGE-BANDWIDTH=400000,"
        'CODECS="avc1.64001E,mp4a.40.2",FRAME-RATE=10.000,SUBTITLES="subs"\n'
        "media.m3u8\n"
    )


# --- the reader that other tests trust ---


def test_the_rules_find_what_is_wrong() -> None:
    long = MediaPlaylist(4, (Segment(0, "s0.ts", 4.6, 0.0),))
    assert faults(read(long.text())) == ["0 exceeds the target"]
    early = MediaPlaylist(4, (Segment(3, "s3.ts", 4.0, 0.0),), sequence=3)
    assert faults(read(early.text())) == ["a sliding playlist holds three target durations"]
    jump = MediaPlaylist(4, (Segment(0, "s0.ts", 4.0, 0.0), Segment(1, "s1.ts", 4.0, 4_100.0)))
    assert faults(read(jump.text())) == ["the date of 1 does not follow"]
    short = MediaPlaylist(
        4, part_target_s=0.5, open_parts=(Part("p0.0.m4s", 0.4, True),),
        control=ServerControl(part_hold_back_s=1.5),
    )  # fmt: skip
    assert faults(read(short.text())) == ["p0.0.m4s is shorter than 85 % of the target"]
