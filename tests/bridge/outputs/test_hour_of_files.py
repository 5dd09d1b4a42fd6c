"""Files of a long recording stay in step to its end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.outputs.follow_wire import FollowPlan
from bridge.outputs.record import FRAME_SAMPLES, Joined, Record
from bridge.outputs.recording_files import make_files
from tests.kit.logged import MemoryLog, burst, sound
from tests.kit.needs import program

pytestmark = pytest.mark.e2e

BEGAN = 1_700_000_000_000
ANN, BOB = "ann-1", "bob-2"


def test_after_an_hour_every_participant_is_still_in_step(tmp_path: Path) -> None:
    """Three people say something now and then; the last comes after half an hour and a pause."""
    hour, half = 180_000, 90_000
    said = {ANN: (5, 60_001, 170_003), BOB: (77, 89_990, 179_900), "carol-3": (95_000, 179_950)}
    halves: tuple[list[Record], list[Record]] = ([], [])
    for who, ticks in said.items():
        halves[0 if ticks[0] < half else 1].append(Joined(ticks[0] % half, who, who))
        for tick in ticks:
            halves[tick // half].extend(sound(who, tick % half, burst(700, 5)))
    log = MemoryLog().stretch(BEGAN, half, halves[0], "paused").stretch(BEGAN + 5_000_000, half, halves[1])
    make_files(FollowPlan(str(tmp_path), (), ("wav", "m4a"), stills=False), log)
    for who, ticks in said.items():
        with soundfile.SoundFile(tmp_path / "files" / f"{who}.wav") as wav:
            assert wav.frames == hour * FRAME_SAMPLES
            for tick in ticks:
                wav.seek(tick * FRAME_SAMPLES)
                assert (wav.read(5 * FRAME_SAMPLES, dtype="int16") == burst(700, 5)).all()
        coded = [
            program("ffmpeg", "ffmpeg"),
            "-v",
            "error",
            "-i",
            str(tmp_path / "files" / f"{who}.m4a"),
            "-f",
            "s16le",
            "-",
        ]
        pcm = np.frombuffer(subprocess.run(coded, capture_output=True, check=True).stdout, "<i2")
        heard = (pcm > 2_000) | (pcm < -2_000)
        onsets = np.flatnonzero(heard[1:] & ~heard[:-1]) + 1
        starts = [int(onsets[onsets >= tick * FRAME_SAMPLES - 480][0]) for tick in ticks]
        assert starts == pytest.approx([tick * FRAME_SAMPLES for tick in ticks], abs=48)
        # Nothing is heard anywhere else.
        near = np.min(np.abs(onsets[:, None] - np.array(ticks) * FRAME_SAMPLES - 2_400), axis=1)
        assert near.max() < 3 * FRAME_SAMPLES + 480
