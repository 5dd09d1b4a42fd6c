"""Sound is kept by a thread, and nobody waits for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile

from bridge.harness.stereo_wav import CHUNK_FRAMES, MAX_WAITING, HeardWav, StereoWav, WavWriter

pytestmark = pytest.mark.unit

FRAME = 160


def frame(value: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(FRAME, value, np.int16)


def test_both_sides_stand_beside_each_other_as_they_were_in_the_air(tmp_path: Path) -> None:
    writer = WavWriter()
    wav = StereoWav(tmp_path / "call.wav", 8_000, writer)
    for number in range(CHUNK_FRAMES + 3):
        wav.ticked(frame(number), frame(number), frame(1_000 + number), 0.0)
    wav.close()
    writer.close()
    said, heard = soundfile.read(tmp_path / "call.wav", dtype="int16")[0].T
    assert said[::FRAME].tolist() == [*range(CHUNK_FRAMES + 3), 0]
    # What is played during 20 ms is heard while the next are said.
    assert heard[::FRAME].tolist() == [0, *range(1_000, 1_000 + CHUNK_FRAMES + 3)]
    assert (writer.lost, writer.problem) == (0, "")


def test_what_is_heard_alone_begins_at_once(tmp_path: Path) -> None:
    writer = WavWriter()
    wav = HeardWav(tmp_path / "heard.wav", 8_000, writer)
    wav.ticked(frame(1), frame(1), frame(7), 0.0)
    wav.close()
    writer.close()
    assert soundfile.read(tmp_path / "heard.wav", dtype="int16")[0].tolist() == [7] * FRAME


class StuckFile:
    """On a disk that does nothing until it is told to."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.written = 0
        self.closed = False

    def write(self, chunk: object) -> None:
        self.goes_on.wait()
        self.written += 1

    def close(self) -> None:
        self.closed = True


def test_a_disk_that_hangs_loses_sound_and_holds_up_nobody() -> None:
    writer, stuck = WavWriter(), StuckFile()
    file = cast(soundfile.SoundFile, stuck)

    def write_all() -> None:
        for _ in range(MAX_WAITING + 11):
            writer.write(file, frame(1))
        writer.write(file, None)

    writing = threading.Thread(target=write_all, daemon=True)
    writing.start()
    writing.join(5)
    assert not writing.is_alive()
    stuck.goes_on.set()
    writer.close()
    # One may be in the thread's hands already.
    assert writer.lost in (10, 11)
    assert stuck.written == MAX_WAITING + 11 - writer.lost
    assert stuck.closed


def test_what_a_disk_says_when_it_fails_is_told() -> None:
    class FullFile(StuckFile):
        def write(self, chunk: object) -> None:
            raise OSError("no space left")

    writer, full = WavWriter(), FullFile()
    for _ in range(2):
        writer.write(cast(soundfile.SoundFile, full), frame(1))
    writer.write(cast(soundfile.SoundFile, full), None)
    writer.close()
    assert writer.problem == "no space left"
    assert full.closed
