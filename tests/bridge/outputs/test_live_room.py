"""What a room's live encoder makes: heard and seen through a library, on a clock of the test's own."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from bridge.outputs.live_wire import (
    AddHls,
    AddPush,
    Caption,
    CaptionsMade,
    CaptionSpec,
    Closed,
    HlsSpec,
    Opened,
    PartMade,
    PictureSpec,
    PushSpec,
    Remove,
    SegmentMade,
    SoundSpec,
    Trouble,
)
from bridge.outputs.push_line import PushLine
from bridge.outputs.record import Begun, Joined, Lost, Talked
from tests.kit.live_room import BEGAN_MS, FRAME, RATE, LiveStudio, brightness_in, heard_in, in_one_piece
from tests.kit.tones import click_score, find_tones, level_of, tone

pytestmark = pytest.mark.unit

LEAD = RATE
SMALL = PictureSpec(160, 90, 10, 80_000)
SPECS = {
    "ts": HlsSpec("ts", segment_s=2.0),
    "ts mp3": HlsSpec("ts", SoundSpec("mp3"), segment_s=2.0),
    "fmp4": HlsSpec("fmp4", segment_s=2.0),
    "fmp4 opus": HlsSpec("fmp4", SoundSpec("opus"), segment_s=2.0),
    "low latency": HlsSpec("fmp4", segment_s=2.0, part_s=0.3),
    "ts with picture": HlsSpec("ts", picture=SMALL, segment_s=2.0),
    "low latency with picture": HlsSpec("fmp4", picture=SMALL, segment_s=2.0, part_s=0.3),
}


@pytest.fixture
def studio(tmp_path: Path) -> LiveStudio:
    return LiveStudio(tmp_path)


@pytest.mark.parametrize("name", SPECS)
def test_a_tone_stays_whole_over_all_segments(studio: LiveStudio, name: str) -> None:
    folder = studio.add("out", SPECS[name])
    studio.hear(tone(600, 9.0, RATE))
    studio.close()
    segments = studio.segments("out")
    assert len(segments) >= 4
    sound, begin = heard_in(in_one_piece(folder, segments))
    whole = sound[RATE : 8 * RATE]
    assert list(find_tones(whole, RATE)) == [600]
    assert level_of(whole, RATE, 600) == pytest.approx(8_000, rel=0.06)
    assert click_score(whole, RATE, 600) < 0.5, "no click where segments meet"


@pytest.mark.parametrize("name", SPECS)
def test_what_sounds_at_a_tick_is_heard_at_its_time(studio: LiveStudio, name: str) -> None:
    folder = studio.add("out", SPECS[name])
    sound = np.zeros(7 * RATE, np.float32)
    onset = 5 * RATE
    sound[onset : onset + RATE // 2] = tone(1_000, 0.5, RATE, 16_000)
    studio.hear(sound)
    studio.close()
    heard, begin = heard_in(in_one_piece(folder, studio.segments("out")))
    first = int(np.flatnonzero(np.abs(heard) > 4_000)[0])
    at = first + begin - LEAD
    # Containers that cannot say how much of the beginning is priming are late or early by that at most.
    assert abs(at - onset) < 0.012 * RATE


@pytest.mark.parametrize("name", SPECS)
def test_times_of_segments_follow_each_other_and_the_clock(studio: LiveStudio, name: str) -> None:
    studio.add("out", SPECS[name])
    studio.hear(tone(600, 9.0, RATE))
    studio.close()
    (opened,) = studio.of(Opened)
    segments = studio.segments("out")
    for number, segment in enumerate(segments):
        assert segment.sequence == number
        assert segment.began_ms == BEGAN_MS + segment.at / 48
        assert not segment.discontinuity
        assert int(segment.duration / RATE + 0.5) <= opened.target_s
    for one, two in zip(segments, segments[1:], strict=False):
        assert one.at + one.duration == two.at
    assert segments[-1].at + segments[-1].duration >= 9 * RATE - 4_800, "to the last"


def test_parts_are_the_segment(studio: LiveStudio) -> None:
    folder = studio.add("out", SPECS["low latency with picture"])
    studio.hear(tone(600, 5.0, RATE))
    studio.close()
    parts = studio.of(PartMade)
    (opened,) = studio.of(Opened)
    for segment in studio.segments("out"):
        mine = [part for part in parts if part.sequence == segment.sequence]
        assert [part.index for part in mine] == list(range(len(mine)))
        assert b"".join((folder / p.file).read_bytes() for p in mine) == (folder / segment.file).read_bytes()
        assert sum(part.duration for part in mine) == segment.duration
        assert [part.last for part in mine] == [False] * (len(mine) - 1) + [True]
        assert mine[0].independent
        assert all(part.duration / RATE <= opened.part_target_s + 1e-9 for part in mine)
        assert all(part.duration / RATE >= 0.85 * opened.part_target_s for part in mine[:-1])


def test_a_part_is_made_as_soon_as_its_sound_is_there(studio: LiveStudio) -> None:
    studio.add("out", HlsSpec("fmp4", segment_s=2.0, part_s=0.3))
    late = []
    for _ in range(40):
        before = len(studio.of(PartMade))
        studio.hear(tone(600, 0.1, RATE))
        now = studio.tick * FRAME
        late += [now - part.at - part.duration for part in studio.of(PartMade)[before:]]
    # The encoder holds back a frame, and chunks come every 100 ms.
    assert late and max(late) <= 4_800 + 2 * 1_024


def test_pictures_change_when_the_room_does(studio: LiveStudio) -> None:
    folder = studio.add("out", HlsSpec("fmp4", picture=SMALL, segment_s=2.0))
    silence = np.zeros(2 * RATE, np.float32)
    studio.hear(silence)
    studio.hear(silence, [Joined(100, "ann", "Ann")])
    studio.hear(silence, [Talked(210, "ann", True)])
    studio.close()
    shown = brightness_in(in_one_piece(folder, studio.segments("out")))
    assert len(shown) == 60
    for at_s, brightness in shown:
        moment = at_s - 1.0
        expected = 30 if moment < 2.0 else 90 if moment < 4.2 else 150
        assert brightness == pytest.approx(expected, abs=6), moment


# --- one encode for many ---


def test_outputs_with_the_same_setting_share_an_encoder(studio: LiveStudio) -> None:
    same = HlsSpec("fmp4", picture=SMALL, segment_s=2.0)
    for number in range(10):
        studio.add(f"same{number}", same)
    studio.add("parts", HlsSpec("fmp4", picture=SMALL, segment_s=4.0, part_s=0.5))
    studio.add("other", HlsSpec("ts", SoundSpec(bitrate=128_000), segment_s=2.0))
    studio.hear(tone(600, 5.0, RATE))
    assert studio.room.figures == (2, 1, 12)
    studio.command(Remove("other"))
    assert studio.room.figures == (1, 1, 11)
    studio.close()
    first = [(studio.directory / "same0" / s.file).read_bytes() for s in studio.segments("same0")]
    for number in range(1, 10):
        folder = studio.directory / f"same{number}"
        assert [(folder / s.file).read_bytes() for s in studio.segments(f"same{number}")] == first


def test_an_output_that_comes_later_begins_in_step(studio: LiveStudio) -> None:
    early = studio.add("early", HlsSpec("fmp4", picture=SMALL, segment_s=2.0))
    sound = tone(600, 9.0, RATE)
    studio.hear(sound[: 3 * RATE + 24_000])
    late = studio.add("late", HlsSpec("fmp4", picture=SMALL, segment_s=2.0))
    studio.hear(sound[3 * RATE + 24_000 :])
    studio.close()
    assert studio.segments("late")[0].at == 4 * RATE, "at a key frame"
    whole, begin = heard_in(in_one_piece(early, studio.segments("early")))
    rest, later = heard_in(in_one_piece(late, studio.segments("late")))
    shift = later - begin
    stretch = slice(RATE, 3 * RATE)
    assert np.abs(rest[stretch] - whole[shift:][stretch]).max() < 2, "the same packets at the same times"


def test_an_output_ends_while_others_go_on(studio: LiveStudio) -> None:
    studio.add("a", SPECS["fmp4"])
    folder = studio.add("b", SPECS["fmp4"])
    sound = tone(600, 6.0, RATE)
    studio.hear(sound[: 3 * RATE])
    studio.command(Remove("a"))
    assert studio.of(Closed) == [Closed("a")]
    assert sum(s.duration for s in studio.segments("a")) == pytest.approx(3 * RATE, abs=2_048)
    studio.hear(sound[3 * RATE :])
    studio.close()
    heard, _ = heard_in(in_one_piece(folder, studio.segments("b")))
    assert click_score(heard[RATE : 5 * RATE], RATE, 600) < 0.5


def test_an_unknown_output_is_closed_and_one_added_before_the_room_began_waits(studio: LiveStudio) -> None:
    studio.command(Remove("nobody"))
    assert studio.events == [Closed("nobody")]
    studio.add("out", SPECS["fmp4"])
    assert studio.of(Opened) == []
    studio.hear(tone(600, 3.0, RATE))
    assert len(studio.segments("out")) == 1


# --- time that jumps ---


@pytest.mark.parametrize("name", ["ts", "low latency", "low latency with picture"])
def test_a_hole_is_a_discontinuity_and_time_is_right_behind_it(studio: LiveStudio, name: str) -> None:
    folder = studio.add("out", SPECS[name])
    studio.hear(tone(600, 3.0, RATE))
    studio.hear(tone(900, 3.0, RATE), [Lost(150, 150, "")])
    studio.skip(500)
    studio.hear(tone(700, 4.0, RATE))
    studio.close()
    segments = studio.segments("out")
    (jump,) = [n for n, segment in enumerate(segments) if segment.discontinuity]
    before, after = segments[:jump], segments[jump:]
    assert sum(s.duration for s in before) == pytest.approx(6 * RATE, abs=4_800)
    begin = 16 * RATE
    assert after[0].at == pytest.approx(begin, abs=1_105)
    assert after[0].began_ms == pytest.approx(BEGAN_MS + 16_000, abs=25)
    heard, at = heard_in(in_one_piece(folder, after))
    assert at - LEAD == pytest.approx(begin, abs=1_105)
    assert list(find_tones(heard[RATE : 3 * RATE], RATE)) == [700]


def test_a_short_hole_is_silence_in_step(studio: LiveStudio) -> None:
    folder = studio.add("out", SPECS["fmp4"])
    studio.hear(tone(600, 3.0, RATE))
    studio.skip(20)
    studio.hear(tone(600, 3.6, RATE))
    studio.close()
    assert not any(segment.discontinuity for segment in studio.segments("out"))
    heard, begin = heard_in(in_one_piece(folder, studio.segments("out")))
    quiet = heard[3 * RATE + 3_000 - begin + LEAD : 3 * RATE + 15_000 - begin + LEAD]
    assert np.abs(quiet).max() < 200
    assert sum(s.duration for s in studio.segments("out")) == pytest.approx(7 * RATE, abs=2_048)


def test_a_new_stretch_goes_on_by_the_wall_clock(studio: LiveStudio) -> None:
    studio.add("out", SPECS["fmp4"])
    studio.hear(tone(600, 3.0, RATE))
    studio.tick = 0
    studio.begun = Begun("r", "room", 1, BEGAN_MS + 60_000)
    studio._told = False
    studio.hear(tone(700, 3.0, RATE))
    studio.close()
    (jump,) = [segment for segment in studio.segments("out") if segment.discontinuity]
    assert jump.began_ms == pytest.approx(BEGAN_MS + 60_000, abs=25)


def test_an_encoder_told_again_of_the_same_stretch_goes_on_as_before(studio: LiveStudio) -> None:
    studio.add("out", SPECS["fmp4"])
    studio.hear(tone(600, 3.0, RATE))
    studio._told = False
    studio.hear(tone(600, 3.0, RATE))
    studio.close()
    assert not any(segment.discontinuity for segment in studio.segments("out"))
    assert sum(s.duration for s in studio.segments("out")) == pytest.approx(6 * RATE, abs=2_048)


def test_an_encoder_begun_in_the_middle_begins_there(tmp_path: Path) -> None:
    studio = LiveStudio(tmp_path, since=180_000)
    studio.add("out", SPECS["fmp4"])
    studio.hear(tone(600, 3.0, RATE))
    studio.close()
    first = studio.segments("out")[0]
    assert first.began_ms == pytest.approx(BEGAN_MS + 3_600_000, abs=25) and not first.discontinuity


# --- captions ---


def test_every_segment_has_its_captions_also_where_nobody_speaks(studio: LiveStudio) -> None:
    folder = studio.add("out", HlsSpec("fmp4", segment_s=2.0, captions=CaptionSpec(wait_s=1.0)))
    studio.hear(tone(600, 2.5, RATE))
    studio.command(Caption(50, 110, "Good morning", "Ann"))
    assert studio.of(CaptionsMade) == [], "they are waited for"
    studio.hear(tone(600, 4.0, RATE))
    studio.close()
    made = studio.of(CaptionsMade)
    assert [entry.sequence for entry in made] == [segment.sequence for segment in studio.segments("out")]
    texts = [(folder / entry.file).read_text() for entry in made]
    assert "00:00:02.000 --> 00:00:03.200" in texts[0], "the media's clock is a second ahead"
    assert "<v Ann>Good morning</v>" in texts[0] and "Good morning" in texts[1]
    assert all(text.startswith("WEBVTT\nX-TIMESTAMP-MAP=") for text in texts)
    assert "-->" not in texts[2]


# --- files and disks ---


def test_files_are_for_the_owner_only_and_never_half(studio: LiveStudio) -> None:
    folder = studio.add("out", SPECS["low latency"])
    studio.hear(tone(600, 5.0, RATE))
    files = [*folder.iterdir()]
    assert files and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert not [file for file in files if file.name.startswith(".")]


@pytest.mark.parametrize("name", ["ts", "low latency", "low latency with picture"])
def test_a_disk_that_fails_for_a_while_costs_that_while(studio: LiveStudio, name: str) -> None:
    folder = studio.add("out", SPECS[name])
    other = studio.add("other", SPECS["fmp4"])
    studio.hear(tone(600, 4.7, RATE))
    folder.rename(folder.with_name("away"))
    studio.hear(tone(600, 4.0, RATE))
    assert [event.why != "" for event in studio.of(Trouble)] == [True]
    folder.with_name("away").rename(folder)
    studio.hear(tone(600, 6.3, RATE))
    studio.close()
    assert [event.why != "" for event in studio.of(Trouble)] == [True, False]
    segments = studio.segments("out")
    assert [segment.sequence for segment in segments] == list(range(len(segments)))
    (jump,) = [n for n, segment in enumerate(segments) if segment.discontinuity]
    assert segments[jump].at > segments[jump - 1].at + segments[jump - 1].duration
    assert segments[jump].at < 11.1 * RATE
    for segment in segments:
        assert (folder / segment.file).stat().st_size == segment.size
    told = [part for part in studio.of(PartMade) if part.output == "out"]
    for part in told:
        assert (folder / part.file).exists()
        (mine,) = [s for s in segments if s.sequence == part.sequence]
        assert mine.at <= part.at and part.at + part.duration <= mine.at + mine.duration
    assert sum(s.duration for s in studio.segments("other")) == pytest.approx(15 * RATE, abs=2_048)
    assert len(list(other.iterdir())) > 5


def test_another_process_goes_on_where_one_died(studio: LiveStudio, tmp_path: Path) -> None:
    spec = HlsSpec("fmp4", segment_s=2.0, part_s=0.5, captions=CaptionSpec(wait_s=1.0))
    folder = studio.add("out", spec)
    studio.hear(tone(600, 5.2, RATE))
    done = studio.segments("out")
    parts = [p for p in studio.of(PartMade) if p.sequence == len(done)]
    assert len(done) == 2 and len(parts) == 2
    torn = SegmentMade(
        "out", 2, "s2.m4s", parts[0].header, parts[0].at,
        parts[-1].at + parts[-1].duration - parts[0].at, parts[0].began_ms, False, 0,
    )  # fmt: skip
    other = LiveStudio(tmp_path, since=350)
    files = tuple(part.file for part in parts)
    other.command(AddHls("out", spec, str(folder), 3, torn, files, (done[1],)))
    other.hear(tone(600, 5.0, RATE))
    other.close()
    segments = other.segments("out")
    assert [segment.sequence for segment in segments] == [2, 3, 4, 5]
    assert [segment.discontinuity for segment in segments] == [False, True, False, False]
    assert (folder / "s2.m4s").read_bytes() == b"".join((folder / file).read_bytes() for file in files)
    assert [made.sequence for made in other.of(CaptionsMade)] == [1, 2, 3, 4, 5]
    assert segments[1].at == pytest.approx(7 * RATE, abs=1_105)


def test_one_that_cannot_be_leaves_nothing_behind_that_is_coded_for_nobody(studio: LiveStudio) -> None:
    studio.hear(np.zeros(RATE, np.float32))
    odd = PictureSpec(161, 90)
    studio.command(AddPush("odd", 1, PushSpec(SoundSpec(), odd), 9, "/live/secret"))
    (closed,) = studio.of(Closed)
    assert isinstance(closed, Closed) and "161x90" in closed.why
    assert studio.room.figures == (0, 0, 0)
    studio.add("out", HlsSpec("fmp4"))
    studio.command(AddPush("odd", 2, PushSpec(SoundSpec(), odd), 9, "/live/secret"))
    assert studio.room.figures == (1, 0, 1), "what others need stays"


def test_what_nobody_thought_of_ends_one_output_and_no_other(
    studio: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: PushLine) -> None:
        raise RuntimeError("can't start new thread for /live/secret")

    monkeypatch.setattr(PushLine, "start", no_thread)
    studio.add("out", HlsSpec("fmp4", segment_s=1.0))
    studio.hear(np.zeros(RATE, np.float32))
    studio.command(AddPush("push", 1, PushSpec(SoundSpec("opus")), 9, "/live/secret"))
    assert studio.of(Closed) == [Closed("push", "it could not be begun (RuntimeError)")]
    studio.hear(tone(600, 3.0, RATE))
    assert studio.room.figures == (1, 0, 1) and len(studio.segments("out")) >= 2
    studio.close()
