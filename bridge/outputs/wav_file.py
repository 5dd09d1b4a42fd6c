"""WAV of 16 bits, of any size: RF64 (EBU Tech 3306) when it outgrows RIFF's 4 GB. Silence takes no disk.

The head has room for RF64's sizes from the beginning; it is only written over when the file is synced or
finished. So what is there up to the last sync can be played while the file grows.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge.outputs.kept_file import KeptFile, link
from bridge.outputs.record import RATE_HZ

RIFF_LIMIT: Final = 0xFFFF_FFFF
HEAD_BYTES: Final = 80
_ELSEWHERE: Final = 0xFFFF_FFFF
"""In place of a size that is said in the ds64 chunk."""


def wav_head(channels: int, samples: int, limit: int = RIFF_LIMIT) -> bytes:
    """What comes before `samples` (of each channel, 48 kHz, 16 bits): RIFF up to `limit` bytes, else RF64."""
    width = 2 * channels
    length = samples * width
    riff = HEAD_BYTES - 8 + length
    if riff > limit:
        said = struct.pack("<QQQI", riff, length, samples, 0)
        head = struct.pack("<4sI4s4sI", b"RF64", _ELSEWHERE, b"WAVE", b"ds64", 28) + said
        length = _ELSEWHERE
    else:
        head = struct.pack("<4sI4s4sI28x", b"RIFF", riff, b"WAVE", b"JUNK", 28)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, RATE_HZ, RATE_HZ * width, width, 16)
    return head + form + struct.pack("<4sI", b"data", length)


class WavFile:
    """One WAV file in the making."""

    def __init__(self, path: Path, channels: int = 1, limit: int = RIFF_LIMIT) -> None:
        self.file = KeptFile(path)
        self._channels, self._limit = channels, limit
        self._samples = 0
        self._branched = False
        self.file.write(wav_head(channels, 0, limit))

    def put(self, pcm: NDArray[np.int16] | None, samples: int) -> None:
        """`samples` more: `pcm` of shape [samples] or [samples, channels], or silence."""
        if pcm is None:
            self.file.skip(2 * self._channels * samples)
        else:
            self.file.write(np.ascontiguousarray(pcm, "<i2").reshape(-1).view(np.uint8).data)
        self._samples += samples

    def sync(self) -> None:
        """What was put is on the disk, and the head says so."""
        self._tell()
        self.file.sync()

    def branch(self) -> None:
        """After a fork: finish under the name only, since what is synced is as good as finished."""
        self._branched = True

    def finish(self) -> None:
        """It is whole."""
        if self._branched:
            link(self.file)
            return
        self._tell()
        self.file.finish()

    def abandon(self) -> None:
        """It is not wanted."""
        self.file.abandon()

    def _tell(self) -> None:
        self.file.write_at(0, wav_head(self._channels, self._samples, self._limit))
