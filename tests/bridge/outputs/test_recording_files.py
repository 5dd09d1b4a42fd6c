"""All files of a recording hold the same times at the same places."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from bridge.outputs import recording_files
from bridge.outputs.follow_wire import FollowPlan, PicturePlan
from bridge.outputs.record import FRAME_SAMPLES, Joined, Left, Lost, Named, Record, Talked
from bridge.outputs.recording_files import NO_H264, make_files
from bridge.outputs.sound_files import stem_of
from tests.kit.logged import MemoryLog, burst, sound
from tests.kit.needs import program

pytestmark = pytest.mark.e2e

BEGAN = 1_700_000_000_000
ANN, BOB = "ann-1", "bob-2"
RING = (62, 207, 142)


def tick_code(tick: int, track: int) -> np.ndarray:
    """A frame whose samples tell the tick and the track, and are the same in no other."""
    return np.random.default_rng([tick, track]).integers(-9_000, 9_000, FRAME_SAMPLES).astype(np.int16)


def coded(track: str, number: int, ticks: range) -> list[Record]:
    return sound(track, ticks.start, np.concatenate([tick_code(tick, number) for tick in ticks]))


def eventful() -> MemoryLog:
    """Ann from the beginning; Bob comes late, drops out and returns; a hole; a pause of an hour. 3.3 s."""
    first: list[Record] = [
        Joined(0, ANN, "Ann"), *coded(ANN, 1, range(3, 90)), *coded("program", 0, range(0, 90)),
        Joined(61, BOB, "Bob"), *coded(BOB, 2, range(61, 75)), Left(75, BOB),
        Lost(90, 97, "the disk was full"),
        *coded("program", 0, range(97, 121)), Joined(110, BOB, "Bob"), *coded(BOB, 2, range(110, 121)),
    ]  # fmt: skip
    second: list[Record] = [
        Joined(0, ANN, "Ann"), Joined(0, BOB, "Bob"),
        *coded(BOB, 3, range(7, 44)), *coded("program", 4, range(44)),
    ]  # fmt: skip
    return MemoryLog().stretch(BEGAN, 121, first, "paused").stretch(BEGAN + 3_600_000, 44, second)


def expected(track: str) -> np.ndarray:
    """What `eventful` says of a track, tick by tick, in the files' time."""
    spans = {
        "program": [(0, range(90), 0), (0, range(97, 121), 0), (4, range(44), 121)],
        ANN: [(1, range(3, 90), 0)],
        BOB: [(2, range(61, 75), 0), (2, range(110, 121), 0), (3, range(7, 44), 121)],
    }[track]
    pcm = np.zeros(165 * FRAME_SAMPLES, np.int16)
    for number, ticks, offset in spans:
        for tick in ticks:
            at = (tick + offset) * FRAME_SAMPLES
            pcm[at : at + FRAME_SAMPLES] = tick_code(tick, number)
    return pcm


def told(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "manifest.json").read_text())
    return found


def decoded(path: Path) -> np.ndarray:
    """A file's sound at int16 scale, float [samples, channels], without its priming."""
    parts = []
    with av.open(str(path)) as opened:
        for frame in opened.decode(opened.streams.audio[0]):
            part = frame.to_ndarray().astype(float)
            part = part * 32_767 if frame.format.name.startswith("flt") else part
            part = part.T if frame.format.is_planar else part.reshape(-1, len(frame.layout.channels))
            parts.append(part)
    return np.concatenate(parts)


# --- alignment ---


def test_every_tick_of_every_track_is_at_its_place_in_every_file(tmp_path: Path) -> None:
    plan = FollowPlan(str(tmp_path), ("wav", "flac"), ("wav", "flac"), stills=False)
    make_files(plan, eventful())
    for track in ("program", ANN, BOB):
        for form in ("wav", "flac"):
            read, _ = soundfile.read(tmp_path / "files" / f"{track}.{form}", dtype="int16")
            assert (read == expected(track)).all(), f"{track}.{form}"


def test_only_so_many_participants_have_files_of_their_own_and_the_manifest_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_files, "MOST_ALONE", 1)
    make_files(FollowPlan(str(tmp_path), ("wav",), ("wav", "m4a"), stills=False), eventful())
    assert not [*(tmp_path / "files").glob(f"{BOB}*")] and (tmp_path / "files" / f"{ANN}.m4a").exists()
    assert told(tmp_path)["notes"] == [recording_files.NOT_ALONE]
    read, _ = soundfile.read(tmp_path / "files" / "program.wav", dtype="int16")
    assert (read == expected("program")).all()


@pytest.mark.parametrize("form", ["m4a", "ogg", "mp3"])
def test_what_was_said_at_a_tick_is_heard_at_that_tick_in_coded_files(form: str, tmp_path: Path) -> None:
    """Tones that tell who speaks: Ann 600 Hz from tick 20, Bob, who comes at tick 110, 900 Hz from 130."""
    records: list[Record] = [
        Joined(0, ANN, "Ann"), *sound(ANN, 20, burst(600, 10)),
        Joined(110, BOB, "Bob"), *sound(BOB, 130, burst(900, 10)),
    ]  # fmt: skip
    plan = FollowPlan(str(tmp_path), (), (form,), stills=False)  # type: ignore[arg-type]
    make_files(plan, MemoryLog().stretch(BEGAN, 160, records))
    for who, tick, hz in ((ANN, 20, 600), (BOB, 130, 900)):
        heard = decoded(tmp_path / "files" / f"{who}.{form}")[:, 0]
        onset = int(np.argmax(np.abs(heard) > 2_500))
        # A tone of 8000 is above 2500 after a twentieth of its period.
        assert onset / 48 == pytest.approx(tick * 20 + 1000 / hz / 20, abs=1)
        spoken = heard[(tick + 2) * FRAME_SAMPLES : (tick + 8) * FRAME_SAMPLES]
        spectrum = np.abs(np.fft.rfft(spoken * np.hanning(len(spoken))))
        assert np.argmax(spectrum) * 48_000 / len(spoken) == pytest.approx(hz, abs=6)
        assert np.abs(spoken).max() == pytest.approx(8_000, rel=0.12)
        silent = np.concatenate([heard[: (tick - 2) * FRAME_SAMPLES], heard[(tick + 13) * FRAME_SAMPLES :]])
        assert np.abs(silent).max() < 60


def seconds(path: Path, *select: str) -> float:
    """How long ffprobe says that a file's sound is."""
    asked = [
        program("ffprobe", "ffmpeg"),
        "-v",
        "error",
        "-select_streams",
        "a",
        "-show_entries",
        "stream=duration",
    ]
    said = subprocess.run(
        [*asked, "-show_entries", "stream=duration", "-of", "csv=p=0", *select, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(said.stdout.split()[0])


def test_all_files_of_a_recording_are_equally_long(tmp_path: Path) -> None:
    plan = FollowPlan(str(tmp_path), ("mp4", "wav"), ("m4a", "ogg", "flac", "wav"), ("wav", "m4a"))
    make_files(plan, eventful())
    names = [f"{who}.{form}" for who in (ANN, BOB) for form in ("m4a", "flac", "wav")]
    for name in ["program.mp4", "program.wav", "sides.wav", "sides.m4a", *names]:
        assert seconds(tmp_path / "files" / name) == pytest.approx(3.3, abs=1e-6), name
    for who in (ANN, BOB):  # Ogg says how much is to be cut off, which ffprobe does not count
        assert len(decoded(tmp_path / "files" / f"{who}.ogg")) == 165 * FRAME_SAMPLES


def test_two_sides_are_who_came_first_to_the_left_and_all_others_to_the_right(tmp_path: Path) -> None:
    carol = "carol-3"
    spoken = {ANN: (2, 20), BOB: (10, 40), carol: (30, 60)}
    alone = {who: np.zeros(70 * FRAME_SAMPLES, np.int32) for who in spoken}
    records: list[Record] = []
    for number, (who, ticks) in enumerate(spoken.items(), 1):
        records += coded(who, number, range(*ticks))
        for tick in range(*ticks):
            alone[who][tick * FRAME_SAMPLES : (tick + 1) * FRAME_SAMPLES] = tick_code(tick, number)
    for first, second, third in ((ANN, BOB, carol), (BOB, ANN, carol)):
        came: list[Record] = [Joined(0, first, ""), Joined(0, second, ""), Joined(0, third, "")]
        plan = FollowPlan(str(tmp_path), (), (), ("wav",), stills=False)
        make_files(plan, MemoryLog().stretch(BEGAN, 70, [*came, *records]))
        sides, _ = soundfile.read(tmp_path / "files" / "sides.wav", dtype="int16")
        assert (sides[:, 0] == alone[first]).all()
        assert (sides[:, 1] == alone[second] + alone[third]).all()


def test_voices_that_are_too_loud_together_are_clipped_not_wrapped(tmp_path: Path) -> None:
    loud = np.full(FRAME_SAMPLES, 30_000, np.int16)
    records: list[Record] = [Joined(0, ANN, "Ann"), *sound(BOB, 0, loud), *sound("carol", 0, loud)]
    make_files(
        FollowPlan(str(tmp_path), (), (), ("wav",), stills=False), MemoryLog().stretch(BEGAN, 1, records)
    )
    sides, _ = soundfile.read(tmp_path / "files" / "sides.wav", dtype="int16")
    assert (sides[:, 1] == 32_767).all() and not sides[:, 0].any()


# --- the picture ---


def with_picture() -> MemoryLog:
    records: list[Record] = [
        Joined(0, ANN, "Ann"), Joined(0, BOB, "Боб"),
        Talked(57, BOB, True), *sound("program", 57, burst(700, 20)), Talked(77, BOB, False),
        Named(90, ANN, "Anna"),
    ]  # fmt: skip
    return MemoryLog().stretch(BEGAN, 113, records)


def test_the_ring_comes_with_the_voice(tmp_path: Path) -> None:
    make_files(FollowPlan(str(tmp_path)), with_picture())
    rings, click = [], None
    with av.open(str(tmp_path / "files" / "program.mp4")) as opened:
        picture = opened.streams.video[0]
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", 640, 360)
        for frame in opened.decode():
            if isinstance(frame, av.VideoFrame):
                seen = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray().astype(int)
                rings.append((frame.time, bool((np.abs(seen - RING).sum(axis=2) < 40).sum() > 200)))
            elif click is None and np.abs(frame.to_ndarray()).max() > 0.07:
                click = frame.time + float(np.argmax(np.abs(frame.to_ndarray()[0]) > 0.07)) / 48_000
    assert click == pytest.approx(1.14, abs=0.001)
    # Ten pictures a second: the first at or after tick 57 is at 1.2 s, the first at or after 77 at 1.6 s.
    first = next(time for time, ring in rings if ring)
    assert first == pytest.approx(1.2, abs=0.001)
    assert next(time for time, ring in rings if time > first and not ring) == pytest.approx(1.6, abs=0.001)
    assert seconds(tmp_path / "files" / "program.mp4") == pytest.approx(2.26, abs=1e-6)


def test_there_is_a_key_frame_every_second_and_the_picture_lasts_to_the_end(tmp_path: Path) -> None:
    make_files(FollowPlan(str(tmp_path), picture=PicturePlan(320, 180, 5)), with_picture())
    with av.open(str(tmp_path / "files" / "program.mp4")) as opened:
        packets = [packet for packet in opened.demux(opened.streams.video[0]) if packet.size]
    keys = [float(packet.pts * packet.time_base) for packet in packets if packet.is_keyframe]
    assert np.diff([*keys, 2.26]).max() <= 1.0
    last = packets[-1]
    # Five pictures a second: the picture's end is rounded up to the next one's time.
    assert float((last.pts + last.duration) * last.time_base) == pytest.approx(2.4, abs=0.001)


def test_without_h264_there_is_sound_and_a_clear_word(tmp_path: Path) -> None:
    _, notes = make_files(FollowPlan(str(tmp_path), h264=False), with_picture())
    assert notes == (NO_H264,) and told(tmp_path)["notes"] == [NO_H264]
    with av.open(str(tmp_path / "files" / "program.mp4")) as opened:
        assert [stream.type for stream in opened.streams] == ["audio"]
    (entry,) = [file for file in told(tmp_path)["files"] if file["form"] == "mp4"]  # type: ignore[attr-defined, union-attr]
    assert entry["media_type"] == "audio/mp4" and entry["has_picture"] is False


def test_stills_show_what_is_most_worth_seeing(tmp_path: Path) -> None:
    make_files(FollowPlan(str(tmp_path), title="Planning"), with_picture())
    thumbnail = Image.open(tmp_path / "files" / "thumbnail.jpg")
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (640, 360))
    # Both are there for the whole time; the frame in which one talks says more.
    assert (np.abs(np.asarray(thumbnail).astype(int) - RING).sum(axis=2) < 60).sum() > 200
    preview = Image.open(tmp_path / "files" / "preview.webp")
    assert preview.format == "WEBP" and preview.width == 160 and preview.height % 90 == 0


def test_an_empty_recording_has_all_its_files(tmp_path: Path) -> None:
    plan = FollowPlan(str(tmp_path), ("mp4", "wav", "flac", "ogg", "hls-ts", "hls-fmp4"), ("wav",))
    files, _ = make_files(plan, MemoryLog().stretch(BEGAN, 0, []))
    assert {file.name for file in files} >= {"files/program.wav", "files/thumbnail.jpg", "files/preview.webp"}
    assert len(soundfile.read(tmp_path / "files" / "program.wav")[0]) == 0


# --- the manifest, and the files as a whole ---


def test_the_manifest_tells_everything(tmp_path: Path) -> None:
    make_files(
        FollowPlan(str(tmp_path), ("wav",), ("wav",), title="Planning", notes=("as asked",)), eventful()
    )
    said = told(tmp_path)
    assert (said["recording"], said["room"], said["title"], said["over"]) == ("rec", "room", "Planning", True)
    assert (said["duration_ms"], said["began_unix_ms"]) == (3_300, BEGAN)
    assert said["ended_unix_ms"] == BEGAN + 3_600_000 + 880
    assert said["pauses"] == [
        {"at_ms": 2_420, "from_unix_ms": BEGAN + 2_420, "until_unix_ms": BEGAN + 3_600_000}
    ]
    assert said["holes"] == [{"at_ms": 1_800, "duration_ms": 140, "stretch": 0, "why": "the disk was full"}]
    assert said["time_map"] == [
        {"at_ms": 0, "duration_ms": 2_420, "unix_ms": BEGAN},
        {"at_ms": 2_420, "duration_ms": 880, "unix_ms": BEGAN + 3_600_000},
    ]
    ann, bob = said["participants"]  # type: ignore[misc]
    assert (ann["id"], ann["name"], ann["has_sound"]) == (ANN, "Ann", True)
    assert [(span["from_ms"], span["until_ms"]) for span in bob["present"]] == [
        (1_220, 1_500),
        (2_200, 2_420),
        (2_420, 3_300),
    ]
    assert bob["present"][2]["from_unix_ms"] == BEGAN + 3_600_000
    assert said["notes"] == ["as asked"]
    for entry in said["files"]:  # type: ignore[attr-defined]
        content = (tmp_path / entry["name"]).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_who_talked_for_how_long_is_told(tmp_path: Path) -> None:
    make_files(FollowPlan(str(tmp_path), ("wav",)), with_picture())
    ann, bob = told(tmp_path)["participants"]  # type: ignore[misc]
    assert (ann["talked_ms"], bob["talked_ms"]) == (0, 400)
    assert (ann["name"], ann["names"]) == ("Anna", ["Ann", "Anna"])


def test_the_same_log_gives_the_same_files_also_over_old_ones(tmp_path: Path) -> None:
    forms = ("mp4", "wav", "flac", "ogg", "mp3", "m4a", "hls-ts", "hls-fmp4")
    plan = FollowPlan(str(tmp_path), forms, ("wav", "flac", "m4a", "ogg"), ("m4a",))  # type: ignore[arg-type]
    make_files(plan, eventful())
    first = told(tmp_path)["files"]
    (tmp_path / "files" / "program.wav.part").write_bytes(b"left over from a kill")
    make_files(plan, eventful())
    assert told(tmp_path)["files"] == first
    assert not list((tmp_path / "files").glob("*.part"))


def test_files_are_private_and_called_by_ids_only(tmp_path: Path) -> None:
    hostile = "../../etc/passwd"
    records: list[Record] = [
        Joined(0, hostile, "Mallory"),
        Joined(0, "program", "P"),
        *coded(hostile, 1, range(3)),
    ]
    make_files(FollowPlan(str(tmp_path), ("wav",), ("wav",)), MemoryLog().stretch(BEGAN, 5, records))
    names = {path.name for path in (tmp_path / "files").iterdir()}
    assert names == {
        "program.wav", f"{stem_of(hostile)}.wav", f"{stem_of('program')}.wav",
        "thumbnail.jpg", "preview.webp",
    }  # fmt: skip
    for path in (tmp_path / "files").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    assert io.BytesIO((tmp_path / "files" / f"{stem_of(hostile)}.wav").read_bytes()).read(4) == b"RIFF"
