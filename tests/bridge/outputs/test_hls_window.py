from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_delivery import Directives
from bridge.outputs.hls_names import part_file, segment_file
from bridge.outputs.hls_playlist import MediaPlaylist, Part, Segment, Settled, Skip
from bridge.outputs.hls_window import HlsWindow, control_for
from tests.kit.hls_reader import ReadPlaylist, faults, read

pytestmark = pytest.mark.unit


def window(
    target_s: int = 2, part_s: float | None = None, length: int | None = 4, kind: str = "live"
) -> HlsWindow:
    control = control_for(target_s, part_s)
    return HlsWindow(
        MediaPlaylist(target_s, kind=kind, part_target_s=part_s, control=control),  # type: ignore[arg-type]
        length,
    )


@dataclass
class Stream:
    """Makes segments as an encoder does, on a clock of its own."""

    window: HlsWindow
    now_ms: float = 1_000_000.0
    header: str = "h0.mp4"

    def part(self, duration_s: float, *, independent: bool = True, discontinuity: bool = False) -> None:
        sequence, index = self.window.next_sequence, len(self.window.open_parts)
        if index == 0:
            self.began_ms = self.now_ms
        self.now_ms += duration_s * 1_000
        part = Part(part_file(sequence, index), duration_s, independent)
        self.window.add_part(part, self.began_ms, discontinuity, self.header)

    def segment(self, duration_s: float | None = None, *, discontinuity: bool = False) -> None:
        sequence = self.window.next_sequence
        began_ms = self.now_ms
        if duration_s is None:
            duration_s = sum(part.duration_s for part in self.window.open_parts)
            began_ms = self.began_ms
        else:
            self.now_ms += duration_s * 1_000
        self.window.add_segment(
            Segment(
                sequence, segment_file(sequence, "fmp4"), duration_s, began_ms, discontinuity, self.header
            ),
            self.now_ms,
        )

    def read(self) -> ReadPlaylist:
        return read(self.window.playlist().text())


def test_a_window_slides_and_its_number_counts_what_left() -> None:
    stream = Stream(window(length=4))
    for _ in range(10):
        stream.segment(2.0)
    playlist = stream.read()
    assert (playlist.sequence, len(playlist.segments)) == (6, 4)
    assert [segment.uri for segment in playlist.segments] == ["s6.m4s", "s7.m4s", "s8.m4s", "s9.m4s"]


def test_short_segments_stay_until_three_target_durations_are_there() -> None:
    stream = Stream(window(length=3))
    for _ in range(12):
        stream.segment(0.75)
    assert len(stream.read().segments) == 8  # 6 s, whatever the window's length


def test_a_discontinuity_that_left_is_counted() -> None:
    stream = Stream(window(length=3))
    for number in range(8):
        stream.segment(2.0, discontinuity=number in (2, 6))
    playlist = stream.read()
    assert playlist.discontinuity_sequence == 1
    assert [segment.discontinuity_sequence for segment in playlist.segments] == [1, 2, 2]


def test_an_event_keeps_everything_and_becomes_video_on_demand() -> None:
    stream = Stream(window(length=None, kind="event"))
    for _ in range(50):
        stream.segment(2.0)
    assert stream.read().kind == "EVENT" and len(stream.read().segments) == 50
    stream.window.end()
    assert (stream.read().kind, stream.read().ended) == ("VOD", True)
    assert stream.window.expired(stream.now_ms + 1e9) == []


def test_a_long_event_is_told_as_if_it_were_written_anew() -> None:
    stream = Stream(window(length=None, kind="event", part_s=0.5))
    for number in range(60):
        stream.header = f"h{number // 25}.mp4"
        for _ in range(4):
            stream.part(0.5, discontinuity=number == 25)
        stream.segment(discontinuity=number == 25)
    kept = stream.window.playlist()
    assert kept.settled.count == 40
    for query in ("", "token=a%2Bb"):
        assert kept.text(query=query) == replace(kept, settled=Settled()).text(query=query)
        skip = Skip(50)
        assert kept.text(skip, query) == replace(kept, settled=Settled()).text(skip, query)
    assert faults(read(kept.text())) == []


def test_a_segment_out_of_order_is_refused() -> None:
    stream = Stream(window())
    stream.segment(2.0)
    with pytest.raises(ValueError, match="segment 5 instead of 1"):
        stream.window.add_segment(Segment(5, "s5.m4s", 2.0, 0.0), 0.0)


def test_files_stay_for_as_long_as_a_player_may_ask_for_them() -> None:
    stream = Stream(window(length=4))
    for _ in range(5):
        stream.segment(2.0)
    # The first one was there at 2 s; with its own 2 s and the playlist's 10 s it may go at 14 s.
    assert stream.window.expired(1_000_000 + 13_900) == []
    assert stream.window.expired(1_000_000 + 14_000) == ["s0.m4s"]
    assert stream.window.expired(1_000_000 + 14_000) == [], "each is named once"


def test_every_file_of_a_long_stream_goes_but_those_in_the_playlist_and_just_before() -> None:
    stream = Stream(window(part_s=0.5, length=4))
    made, gone = set(), []
    for number in range(40):
        stream.header = f"h{number // 10}.mp4"
        for _ in range(4):
            made.add(stream.window.hint)
            stream.part(0.5)
        made.update((stream.header, segment_file(number, "fmp4")))
        stream.segment()
        gone += stream.window.expired(stream.now_ms)
    assert len(gone) == len(set(gone)), "each is named once"
    left = made - set(gone)
    named = {segment.uri for segment in stream.read().segments}
    assert named <= left and "h3.mp4" in left
    assert not {"h0.mp4", "h1.mp4"} & left
    # 4 segments in the playlist and 7 that were in it lately, and parts of 3 and 4 target durations.
    assert len([file for file in left if file.startswith("s")]) <= 11
    assert len([file for file in left if file.startswith("p")]) <= 4 * 8


def test_the_hint_follows_the_parts() -> None:
    stream = Stream(window(part_s=0.5))
    assert stream.read().hint == "p0.0.m4s"
    stream.part(0.5)
    assert stream.read().hint == "p0.1.m4s"
    stream.segment()
    assert stream.read().hint == "p1.0.m4s"


# --- timed metadata ---


def test_date_ranges_stay_while_a_segment_of_their_time_is_there() -> None:
    stream = Stream(window(length=4))
    stream.segment(2.0)
    stream.window.add_date_range(DateRange("a", stream.now_ms, 1.0), stream.now_ms)
    for _ in range(4):
        stream.segment(2.0)
    assert "a" in stream.read().date_ranges
    stream.segment(2.0)
    assert "a" not in stream.read().date_ranges


def test_an_id_stands_for_one_date_range_which_may_be_told_more_of() -> None:
    stream = Stream(window())
    stream.window.add_date_range(DateRange("a", 5_000.0, planned_duration_s=9.0), 0.0)
    stream.window.add_date_range(DateRange("a", 5_000.0, 3.0, planned_duration_s=9.0), 0.0)
    assert stream.read().date_ranges["a"]["DURATION"] == "3"
    with pytest.raises(ValueError, match="another date range"):
        stream.window.add_date_range(DateRange("a", 6_000.0), 0.0)


def test_date_ranges_are_bounded() -> None:
    stream = Stream(window())
    for number in range(1_000):
        stream.window.add_date_range(DateRange(str(number), 1e12), 0.0)
    with pytest.raises(ValueError, match="1000 date ranges"):
        stream.window.add_date_range(DateRange("more", 1e12), 0.0)


# --- delta updates ---


def test_a_delta_update_gives_a_player_the_same_as_the_whole_playlist() -> None:
    stream = Stream(window(length=40))
    stream.window.add_date_range(DateRange("old", stream.now_ms, 200.0), stream.now_ms)
    for number in range(30):
        stream.segment(2.0, discontinuity=number == 25)
    before = stream.read()
    stream.window.add_date_range(DateRange("new", stream.now_ms, 1.0), stream.now_ms)
    stream.segment(2.0)
    for asked in ("segments", "date ranges too"):
        skip = stream.window.skip(Directives(skip=asked), stream.now_ms)  # type: ignore[arg-type]
        assert skip is not None and skip.segments == 31 - 6, "six target durations are told"
        text = stream.window.playlist().text(skip)
        assert ('"old"' in text) == (asked == "segments") and '"new"' in text
        whole, pieced = stream.read(), read(text, before)
        assert pieced.segments == whole.segments and pieced.date_ranges == whole.date_ranges


def test_a_date_range_that_left_is_told_in_a_delta_update() -> None:
    stream = Stream(window(length=10))
    stream.segment(2.0)
    stream.window.add_date_range(DateRange("gone", 1_000_000.0, 0.5), stream.now_ms)
    for _ in range(10):
        stream.segment(2.0)
    skip = stream.window.skip(Directives(skip="date ranges too"), stream.now_ms)
    assert skip is not None and skip.removed == ("gone",)
    assert 'RECENTLY-REMOVED-DATERANGES="gone"' in stream.window.playlist().text(skip)


def test_a_short_or_ended_playlist_gives_no_delta_update() -> None:
    stream = Stream(window(length=40))
    for _ in range(6):
        stream.segment(2.0)
    assert stream.window.skip(Directives(skip="segments"), stream.now_ms) is None
    for _ in range(9):
        stream.segment(2.0)
    assert stream.window.skip(Directives(skip="segments"), stream.now_ms) is not None
    stream.window.end()
    assert stream.window.skip(Directives(skip="segments"), stream.now_ms) is None


# --- whatever comes, the rules hold ---

_SEGMENTS = st.lists(
    st.tuples(st.integers(1, 5), st.booleans(), st.booleans(), st.floats(0.85, 1.0)),
    min_size=1,
    max_size=25,
)


@given(
    made=_SEGMENTS,
    length=st.sampled_from([3, 4, 8, None]),
    part_s=st.sampled_from([0.2, 0.333, 0.5]),
    parts_told=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_playlists_keep_the_rules_whatever_comes(
    made: list[tuple[int, bool, bool, float]], length: int | None, part_s: float, parts_told: bool
) -> None:
    kind = "live" if length is not None else "event"
    stream = Stream(window(3, part_s if parts_told else None, length, kind))
    before: ReadPlaylist | None = None
    asked_before: ReadPlaylist | None = None
    for number, (parts, discontinuity, marked, share) in enumerate(made):
        if discontinuity:
            stream.header = f"h{number}.mp4"
        if marked:
            start_ms = stream.now_ms - 1_000 * number
            stream.window.add_date_range(DateRange(str(number), start_ms, 3.0), stream.now_ms)
        if parts_told:
            for index in range(parts):
                last = index == parts - 1
                stream.part(part_s * (share if not last else 0.5), discontinuity=discontinuity)
                if not last:
                    playlist = stream.read()
                    assert faults(playlist, before) == []
                    before = playlist
            stream.segment(discontinuity=discontinuity)
        else:
            stream.segment(parts * 0.69, discontinuity=discontinuity)
        playlist = stream.read()
        assert faults(playlist, before) == []
        before = playlist
        skip = stream.window.skip(Directives(skip="date ranges too"), stream.now_ms)
        if skip is not None and asked_before is not None:
            pieced = read(stream.window.playlist().text(skip), asked_before)
            assert pieced.segments == playlist.segments and pieced.date_ranges == playlist.date_ranges
        asked_before = playlist
    stream.window.end()
    assert faults(stream.read()) == []
