"""HLS of a recording: it can be played while it grows, and is in step and dated as the recording was."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from bridge.outputs.follow_wire import FollowPlan
from bridge.outputs.hls_folder import HEADER, MASTER, MEDIA
from bridge.outputs.record import Joined, Record, Talked
from bridge.outputs.recording_files import RecordingFiles, make_files
from bridge.outputs.weave import Weaver, woven
from tests.kit.logged import MemoryLog, burst, sound

pytestmark = pytest.mark.e2e

BEGAN = 1_700_000_000_000
ANN = "ann-1"
RING = (62, 207, 142)


def clicks() -> MemoryLog:
    """Bursts at ticks 55 and 300 with the ring around Ann; an hour's pause after 7.3 s; one at 40 again."""
    first: list[Record] = [
        Joined(0, ANN, "Ann"),
        *sound("program", 55, burst(700, 10)), Talked(55, ANN, True), Talked(65, ANN, False),
        *sound("program", 300, burst(700, 10)), Talked(300, ANN, True), Talked(310, ANN, False),
    ]  # fmt: skip
    second: list[Record] = [
        Joined(0, ANN, "Ann"),
        *sound("program", 40, burst(700, 10)), Talked(40, ANN, True), Talked(50, ANN, False),
    ]  # fmt: skip
    return MemoryLog().stretch(BEGAN, 365, first, "paused").stretch(BEGAN + 3_600_000, 150, second)


CLICKS_MS = (55 * 20, 300 * 20, 365 * 20 + 40 * 20)


def plan(directory: Path, form: str, **more: object) -> FollowPlan:
    return FollowPlan(str(directory), (form,), stills=False, segment_s=2.0, **more)  # type: ignore[arg-type]


def watched(path: Path) -> tuple[list[float], list[float], float]:
    """When clicks are heard and rings seen to come, ms from the first picture (or sound); how long it is."""
    onsets, rings, first, last = [], [], None, 0.0
    quiet_until, ringed = -1.0, False
    with av.open(str(path)) as opened:
        has_picture = bool(opened.streams.video)
        for frame in opened.decode():
            if isinstance(frame, av.VideoFrame):
                first = frame.time if first is None else first
                seen = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray().astype(int)
                ring = bool((np.abs(seen - RING).sum(axis=2) < 40).sum() > 200)
                if ring and not ringed:
                    rings.append(frame.time)
                ringed = ring
            else:
                first = frame.time if first is None and not has_picture else first
                heard = np.abs(frame.to_ndarray()[0])
                last = frame.time + frame.samples / 48_000
                if frame.time > quiet_until and heard.max() > 0.07:
                    onsets.append(frame.time + float(np.argmax(heard > 0.07)) / 48_000)
                    quiet_until = frame.time + 0.3
    assert first is not None
    return [1000 * (t - first) for t in onsets], [1000 * (t - first) for t in rings], 1000 * (last - first)


@pytest.mark.parametrize("form", ["hls-ts", "hls-fmp4"])
def test_sound_and_picture_are_in_step_over_segments_and_pauses(form: str, tmp_path: Path) -> None:
    make_files(plan(tmp_path, form), clicks())
    heard, seen, length = watched(tmp_path / "files" / f"program-{form}" / MEDIA)
    assert heard == pytest.approx(CLICKS_MS, abs=1)
    # Ten pictures a second: the first one at or after the tick.
    assert seen == pytest.approx([1_100, 6_000, 8_100], abs=1)
    assert length == pytest.approx(10_300, abs=45)  # whole AAC frames


@pytest.mark.parametrize("form", ["hls-ts", "hls-fmp4"])
def test_sound_alone_is_cut_as_well(form: str, tmp_path: Path) -> None:
    make_files(plan(tmp_path, form, picture=None), clicks())
    folder = tmp_path / "files" / f"program-{form}"
    heard, seen, _ = watched(folder / MEDIA)
    priming = 1_024 / 48  # counts as heard: there is no picture to be in step with
    assert [at - priming for at in heard] == pytest.approx(CLICKS_MS, abs=1) and not seen
    assert len(list(folder.glob("0*"))) == 6
    assert "avc1" not in (folder / MASTER).read_text() and "mp4a.40.2" in (folder / MASTER).read_text()


def dates(playlist: str) -> list[str]:
    return re.findall("PROGRAM-DATE-TIME:(.*)", playlist)


def durations(playlist: str) -> list[float]:
    return [float(said) for said in re.findall("#EXTINF:([0-9.]+),", playlist)]


def test_every_segment_says_when_it_was(tmp_path: Path) -> None:
    make_files(plan(tmp_path, "hls-ts"), clicks())
    playlist = (tmp_path / "files" / "program-hls-ts" / MEDIA).read_text()
    assert dates(playlist) == [
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:22.000Z",
        "2023-11-14T22:13:24.000Z",
        "2023-11-14T22:13:26.000Z",
        "2023-11-14T23:13:20.000Z",
        "2023-11-14T23:13:22.000Z",
    ]
    assert durations(playlist) == pytest.approx([2, 2, 2, 1.3, 2, 1], abs=1e-6)
    assert "#EXT-X-TARGETDURATION:2\n" in playlist


def test_the_playlist_grows_as_an_event_and_ends_as_a_vod(tmp_path: Path) -> None:
    files, weaver = RecordingFiles(plan(tmp_path, "hls-fmp4")), Weaver()
    folder = tmp_path / "files" / "program-hls-fmp4"
    grown = []
    for block in woven(clicks(), weaver):
        files.put(block, weaver.time)
        files.sync()
        if (folder / MEDIA).exists():
            playlist = (folder / MEDIA).read_text()
            assert "#EXT-X-PLAYLIST-TYPE:EVENT" in playlist and "ENDLIST" not in playlist
            assert all((folder / name).exists() for name in re.findall("^0.*", playlist, re.MULTILINE))
            assert not grown or playlist.startswith(grown[-1])
            grown.append(playlist)
            if len(durations(playlist)) == 2 and not (tmp_path / "then").exists():
                shutil.copytree(folder, tmp_path / "then")
    with (tmp_path / "then" / MEDIA).open("a") as then:
        then.write("#EXT-X-ENDLIST\n")  # a player would wait for more
    assert watched(tmp_path / "then" / MEDIA)[0] == pytest.approx(CLICKS_MS[:1], abs=1)
    files.finish(over=True)
    playlist = (folder / MEDIA).read_text()
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in playlist and playlist.endswith("#EXT-X-ENDLIST\n")
    assert playlist.count(HEADER) == 1


def test_what_segments_cannot_hold_is_refused(tmp_path: Path) -> None:
    from bridge.outputs.encoders import AudioEncoder, AudioSettings
    from bridge.outputs.hls_folder import HlsFolder, HlsPlan

    for codec, form in (("opus", "hls-ts"), ("pcm", "hls-fmp4")):
        with pytest.raises(ValueError, match=codec):
            HlsFolder(tmp_path / "x", HlsPlan(form), AudioEncoder(AudioSettings(codec)))  # type: ignore[arg-type]
