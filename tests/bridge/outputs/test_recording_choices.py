"""What can be chosen of a recording's files: whose they are, what is in them, and how that is coded."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from bridge.core.ports import WantedFiles, WantedPicture, Whom
from bridge.outputs import recording_files
from bridge.outputs.follow_wire import FollowPlan, PicturePlan
from bridge.outputs.made_plan import plan_for
from bridge.outputs.record import FRAME_SAMPLES, PROGRAM, Joined, Record, Talked
from bridge.outputs.recording_files import NOTHING_LEFT, make_files
from bridge.outputs.sound_files import summed
from tests.kit.logged import MemoryLog, burst, sound
from tests.kit.needs import program
from tests.kit.tones import find_tones

pytestmark = pytest.mark.e2e

BEGAN = 1_700_000_000_000
ANN, BOB, CAROL = "ann-1", "bob-2", "carol-3"
TONES = {ANN: 600, BOB: 900, CAROL: 1_500}
MIXED = 2_500
"""Is in the room's mix alone, which so tells whether the mix was taken."""
TICKS = 150


def meeting() -> MemoryLog:
    """Three people, each with a tone; Carol comes after one second of three."""
    records: list[Record] = [
        Joined(0, ANN, "Ann"), Joined(0, BOB, "Bob"), Joined(50, CAROL, "Carol"),
        *sound(PROGRAM, 0, burst(MIXED, TICKS)),
        *sound(ANN, 0, burst(TONES[ANN], TICKS)),
        *sound(BOB, 0, burst(TONES[BOB], TICKS)),
        *sound(CAROL, 50, burst(TONES[CAROL], TICKS - 50)),
        Talked(20, ANN, True), Talked(60, BOB, True),
    ]  # fmt: skip
    return MemoryLog().stretch(BEGAN, TICKS, records)


def made(directory: Path, log: MemoryLog | None = None, **wanted: Any) -> Path:
    """The folder with the files that are wanted of a log."""
    directory.mkdir(exist_ok=True)
    plan = plan_for(directory, WantedFiles(**wanted), picture=PicturePlan(), h264=True, title="Planning")
    make_files(plan, log or meeting())
    return directory / "files"


def told(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder.parent / "manifest.json").read_text())
    return said


def probed(path: Path) -> dict[str, dict[str, Any]]:
    """What ffprobe says of a file's streams, by their kind."""
    asked = [program("ffprobe", "ffmpeg"), "-v", "error", "-count_packets", "-show_streams", "-of", "json"]
    said = json.loads(subprocess.run([*asked, str(path)], capture_output=True, text=True, check=True).stdout)
    return {stream["codec_type"]: stream for stream in said["streams"]}


def levels(pcm: np.ndarray) -> dict[int, float]:
    """The tones in int16 [samples], by frequency."""
    return {hz: round(level) for hz, level in find_tones(pcm, 48_000).items()}


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]  # type: ignore[no-any-return]


# --- whose ---


@pytest.mark.parametrize("heard", [Whom(only=(BOB, CAROL)), Whom(without=(ANN,))])
def test_only_who_is_wanted_is_heard_also_when_they_come_later(heard: Whom, tmp_path: Path) -> None:
    program = read(made(tmp_path, formats=("wav", "mp4"), heard=heard) / "program.wav")
    assert len(program) == TICKS * FRAME_SAMPLES
    before, after = levels(program[:48_000]), levels(program[48_000:])
    assert before == {TONES[BOB]: pytest.approx(8_000, rel=0.02)}
    assert after == {
        TONES[BOB]: pytest.approx(8_000, rel=0.02),
        TONES[CAROL]: pytest.approx(8_000, rel=0.02),
    }
    # To the sample: each is where the own track has it.
    assert (program[48_000:] == burst(TONES[BOB], TICKS)[48_000:] + burst(TONES[CAROL], 100)).all()


def test_of_one_alone_the_programs_files_are_the_own_track(tmp_path: Path) -> None:
    folder = made(tmp_path, formats=("wav", "ogg"), heard=Whom(only=(CAROL,)))
    track = np.concatenate([np.zeros(48_000, np.int16), burst(TONES[CAROL], 100)])
    assert (read(folder / "program.wav") == track).all()
    coded = read(folder / "program.ogg")
    assert levels(coded[60_000:]) == {TONES[CAROL]: pytest.approx(8_000, rel=0.1)}
    assert not np.abs(coded[:47_000]).max() > 60


def test_who_is_not_wanted_has_no_file_and_no_side(tmp_path: Path) -> None:
    heard = Whom(without=(ANN,))
    folder = made(tmp_path, formats=("flac", "stereo"), participants=True, heard=heard)
    assert {path.name for path in folder.glob("*.flac")} == {"program.flac", f"{BOB}.flac", f"{CAROL}.flac"}
    sides = read(folder / "sides.wav")[48_000:]
    assert set(levels(sides[:, 0])) == {TONES[BOB]} and set(levels(sides[:, 1])) == {TONES[CAROL]}


def test_nobody_of_whom_anything_is_wanted_is_silence(tmp_path: Path) -> None:
    program = read(made(tmp_path, formats=("wav",), heard=Whom(only=("nobody",))) / "program.wav")
    assert len(program) == TICKS * FRAME_SAMPLES and not program.any()


def test_several_that_are_too_loud_together_are_clipped_not_wrapped(tmp_path: Path) -> None:
    loud = np.full(FRAME_SAMPLES, -30_000, np.int16)
    log = MemoryLog().stretch(BEGAN, 1, [*sound(ANN, 0, loud), *sound(BOB, 0, loud)])
    assert (
        read(made(tmp_path, log, formats=("wav",), heard=Whom((ANN, BOB))) / "program.wav") == -32_768
    ).all()


def test_of_everybody_it_is_the_rooms_mix_and_nothing_is_added_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(tracks: object) -> None:
        raise AssertionError("tracks were added up")

    monkeypatch.setattr(recording_files, "summed", never)
    assert set(levels(read(made(tmp_path, formats=("wav",)) / "program.wav"))) == {MIXED}


def test_only_the_tracks_that_are_wanted_are_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[int] = []

    def counted(tracks: Any) -> Any:
        several = [*tracks]
        touched.append(len(several))
        return summed(several)

    monkeypatch.setattr(recording_files, "summed", counted)
    made(tmp_path, formats=("wav",), heard=Whom(only=(BOB,)))
    assert touched == [1, 1, 1]
    track = burst(600)
    assert summed([track]) is track and summed([]) is None


def test_the_picture_shows_who_is_to_be_seen(tmp_path: Path) -> None:
    """As if the others had never come; the manifest says whom the files are of, and who was there."""
    seen = Whom(only=(BOB,))
    folder = made(tmp_path / "some", formats=("mp4",), heard=Whom(without=(ANN,)), seen=seen)
    alone = MemoryLog().stretch(BEGAN, TICKS, [Joined(0, BOB, "Bob"), Talked(60, BOB, True)])
    expected = made(tmp_path / "alone", alone, formats=("mp4",))
    for name in ("thumbnail.jpg", "preview.webp"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes()
    pictures = [bytes(packet) for packet in packets(folder / "program.mp4")]
    assert pictures == [bytes(packet) for packet in packets(expected / "program.mp4")]
    said = told(folder)
    assert said["heard"] == {"only": [], "without": [ANN]} and said["seen"] == {"only": [BOB], "without": []}
    assert [one["id"] for one in said["participants"]] == [ANN, BOB, CAROL]
    assert told(expected)["heard"] is None


def packets(path: Path) -> list[Any]:
    with av.open(str(path)) as opened:
        return [packet for packet in opened.demux(opened.streams.video[0]) if packet.size]


# --- the picture ---


def test_a_picture_of_the_size_rate_and_ground_asked_for(tmp_path: Path) -> None:
    picture = WantedPicture(360, 640, 15, 500_000, "#ff0000")
    folder = made(tmp_path, formats=("mp4", "hls"), picture=picture)
    for path in (folder / "program.mp4", folder / "program-hls-ts" / "media.m3u8"):
        video = probed(path)["video"]
        assert (video["codec_name"], video["width"], video["height"]) == ("h264", 360, 640)
        # Every picture is coded: three seconds of 15.
        assert (int(video["nb_read_packets"]), video["avg_frame_rate"]) == (45, "15/1")
    assert int(probed(folder / "program.mp4")["video"]["bit_rate"]) < 600_000
    master = (folder / "program-hls-ts" / "index.m3u8").read_text()
    assert "RESOLUTION=360x640" in master and "FRAME-RATE=15.000" in master
    with av.open(str(folder / "program.mp4")) as opened:
        first = next(opened.decode(opened.streams.video[0]))
    corner = first.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()[2, 2].astype(int)
    assert (np.abs(corner - (255, 0, 0)) < 12).all()
    assert Image.open(folder / "thumbnail.jpg").size == (360, 640)
    (entry,) = [one for one in told(folder)["files"] if one["form"] == "mp4"]
    assert (entry["width"], entry["height"], entry["codec"]) == (360, 640, "aac")


def test_without_a_bitrate_only_what_changes_is_coded(tmp_path: Path) -> None:
    folder = made(tmp_path, formats=("mp4",), picture=WantedPicture(320, 180, 25))
    assert len(packets(folder / "program.mp4")) < 12


def test_what_a_recording_does_not_say_of_its_picture_is_as_configured(tmp_path: Path) -> None:
    usual = PicturePlan(1280, 720, 5)
    for wanted, plan in (
        (WantedPicture(), usual),
        (WantedPicture(fps=20, background="#102030"), PicturePlan(1280, 720, 20, None, "#102030")),
        (WantedPicture(320, 180, bitrate=90_000), PicturePlan(320, 180, 5, 90_000)),
        (None, None),
    ):
        found = plan_for(tmp_path, WantedFiles(picture=wanted), picture=usual, h264=True, title="")
        assert found.picture == plan


# --- what is in it ---


def test_sound_alone_also_in_mp4_and_hls(tmp_path: Path) -> None:
    folder = made(tmp_path, formats=("mp4", "hls"), picture=None)
    for path in (folder / "program.mp4", folder / "program-hls-ts" / "media.m3u8"):
        assert list(probed(path)) == ["audio"]
    (entry,) = [one for one in told(folder)["files"] if one["form"] == "mp4"]
    assert entry["media_type"] == "audio/mp4" and "width" not in entry


def test_a_picture_alone_in_mp4_and_hls(tmp_path: Path) -> None:
    folder = made(tmp_path, formats=("mp4", "hls"), sound=False)
    for path in (folder / "program.mp4", folder / "program-hls-ts" / "media.m3u8"):
        video = probed(path)
        assert list(video) == ["video"]
        assert float(video["video"].get("duration", 3)) == pytest.approx(3, abs=0.11)
    master = (folder / "program-hls-ts" / "index.m3u8").read_text()
    assert "avc1" in master and "mp4a" not in master
    for entry in told(folder)["files"]:
        assert "codec" not in entry and "channels" not in entry
    plan = FollowPlan(str(tmp_path), ("hls-fmp4",), sound=False, segment_s=1.0)
    make_files(plan, meeting())
    assert list(probed(folder / "program-hls-fmp4" / "media.m3u8")) == ["video"]
    assert len([*(folder / "program-hls-fmp4").glob("0*.m4s")]) == 3


def test_a_picture_alone_without_h264_is_nothing_and_that_is_said(tmp_path: Path) -> None:
    plan = FollowPlan(str(tmp_path), ("mp4", "wav"), sound=False, h264=False)
    files, notes = make_files(plan, meeting())
    assert notes == (NOTHING_LEFT,)
    assert {file.name for file in files} == {
        "files/program.wav", "files/thumbnail.jpg", "files/preview.webp"
    }  # fmt: skip


# --- how the sound is coded ---


@pytest.mark.parametrize(("bitrate", "channels"), [(48_000, 1), (128_000, 1), (96_000, 2)])
def test_mono_and_stereo_at_the_bit_rates_of_vendors(bitrate: int, channels: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(-9_000, 9_000, TICKS * FRAME_SAMPLES).astype(np.int16)
    log = MemoryLog().stretch(BEGAN, TICKS, sound(PROGRAM, 0, noise))
    folder = made(tmp_path, log, formats=("mp4", "wav", "hls"), bitrate=bitrate, channels=channels)
    audio = probed(folder / "program.mp4")["audio"]
    assert (audio["codec_name"], audio["sample_rate"], audio["channels"]) == ("aac", "48000", channels)
    assert int(audio["bit_rate"]) == pytest.approx(bitrate * channels, rel=0.12)
    assert probed(folder / "program-hls-ts" / "media.m3u8")["audio"]["channels"] == channels
    written = read(folder / "program.wav").reshape(TICKS * FRAME_SAMPLES, channels)
    assert (written == noise[:, None]).all()


def test_both_channels_have_the_same_sound_in_every_form(tmp_path: Path) -> None:
    folder = made(tmp_path, formats=("mp4", "flac", "ogg"), channels=2, participants=True)
    for name in ("program.flac", "program.ogg"):
        pcm = read(folder / name)
        assert pcm.shape == (TICKS * FRAME_SAMPLES, 2)
        for side in (0, 1):
            assert levels(pcm[9_600:, side]) == {MIXED: pytest.approx(8_000, rel=0.05)}
    assert read(folder / f"{ANN}.flac").shape == (TICKS * FRAME_SAMPLES,)
    channels = {entry["name"]: entry.get("channels") for entry in told(folder)["files"]}
    assert (channels["files/program.mp4"], channels[f"files/{ANN}.flac"]) == (2, 1)


# --- how HLS is cut ---


def test_segments_are_as_long_as_asked_for(tmp_path: Path) -> None:
    log = MemoryLog().stretch(BEGAN, 40 * 50, [Joined(0, ANN, "Ann")])
    folder = made(tmp_path, log, formats=("hls",), segment_s=15.0, picture=WantedPicture(160, 90))
    playlist = (folder / "program-hls-ts" / "media.m3u8").read_text()
    assert [float(said) for said in re.findall("#EXTINF:([0-9.]+),", playlist)] == [15, 15, 10]
    assert "#EXT-X-TARGETDURATION:15\n" in playlist


# --- chosen anew ---


def test_what_is_chosen_later_holds_for_all_of_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    """Files of an earlier choice end with its last stretch, and may be of people who are not wanted now."""
    made(tmp_path, formats=("wav", "flac", "hls"), participants=True)
    both = meeting().stretch(BEGAN + 60_000, 50, sound(BOB, 0, burst(TONES[BOB], 50)))
    folder = made(tmp_path, both, formats=("flac",), heard=Whom(without=(ANN,)))
    assert {path.name for path in folder.iterdir()} == {"program.flac", "thumbnail.jpg", "preview.webp"}
    program = read(folder / "program.flac")
    assert set(levels(program[:48_000])) == {TONES[BOB]} == set(levels(program[-48_000:]))
