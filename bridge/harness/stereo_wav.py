"""Keeps a call's sound as a WAV file, written by a thread: disks are slower than ticks."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import soundfile

from bridge.harness.sound import Samples
from bridge.harness.witness import Witness

CHUNK_FRAMES = 100
"""So many 20 ms are written together."""
MAX_WAITING = 1_000
"""Chunks that may wait for the disk; what comes then is lost, and said to be."""


class WavWriter:
    """The thread that writes, one for all calls of a run."""

    def __init__(self) -> None:
        # Bounded by `write`, which never waits: closes and the end always find their place.
        self._work: queue.SimpleQueue[tuple[soundfile.SoundFile, Samples | None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wav", daemon=True)
        self._thread.start()
        self.lost = 0
        """Chunks that did not fit."""
        self.problem = ""
        """Why writing failed, the last time that it did."""

    def write(self, file: soundfile.SoundFile, chunk: Samples | None) -> None:
        """Append int16 [n, channels]; None closes the file. `chunk` is not copied."""
        # A file that is not closed has no true header.
        if chunk is None or self._work.qsize() < MAX_WAITING:
            self._work.put((file, chunk))
        else:
            self.lost += 1

    def close(self) -> None:
        """Returns when everything has been written: blocks."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            file, chunk = item
            try:
                if chunk is None:
                    file.close()
                else:
                    file.write(chunk)
            except (OSError, soundfile.LibsndfileError, RuntimeError) as wrong:
                self.problem = str(wrong)


class _Sheet:
    """Frames of a file, gathered until it is worth to write them."""

    def __init__(self, path: Path, rate_hz: int, channels: int, writer: WavWriter) -> None:
        self._file = soundfile.SoundFile(path, "w", rate_hz, channels, "PCM_16", format="WAV")
        self._writer = writer
        self._samples = rate_hz // 50
        self._shape = (CHUNK_FRAMES * self._samples, channels)
        self._chunk: Samples = np.empty(self._shape, np.int16)
        self._at = 0

    def add(self, *frames: Samples) -> None:
        """20 ms, a frame for each channel."""
        rows = self._chunk[self._at : self._at + self._samples]
        for channel, frame in enumerate(frames):
            rows[:, channel] = frame
        self._at += self._samples
        if self._at == len(self._chunk):
            self._writer.write(self._file, self._chunk)
            self._chunk, self._at = np.empty(self._shape, np.int16), 0

    def close(self) -> None:
        self._writer.write(self._file, self._chunk[: self._at])
        self._writer.write(self._file, None)


class StereoWav(Witness):
    """One call's file: left what the caller sends, right what they hear, each when it is in the air."""

    def __init__(self, path: Path, rate_hz: int, writer: WavWriter) -> None:
        """Raises OSError or soundfile.LibsndfileError when there can be no such file."""
        self._sheet = _Sheet(path, rate_hz, 2, writer)
        self._heard = np.zeros(rate_hz // 50, np.int16)
        self.path = path

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """Add 20 ms. What plays from now on is heard while the next 20 ms are said."""
        self._sheet.add(said, self._heard)
        self._heard = heard

    def close(self) -> None:
        """Write the rest."""
        self._sheet.add(np.zeros_like(self._heard), self._heard)
        self._sheet.close()


class HeardWav(Witness):
    """What the caller hears, alone."""

    def __init__(self, path: Path, rate_hz: int, writer: WavWriter) -> None:
        """Raises OSError or soundfile.LibsndfileError when there can be no such file."""
        self._sheet = _Sheet(path, rate_hz, 1, writer)

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """Add 20 ms."""
        self._sheet.add(heard)

    def close(self) -> None:
        """Write the rest."""
        self._sheet.close()
