"""FLAC in the making, by libFLAC itself: FFmpeg takes 15 MB for each file, and four times the work."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.outputs.kept_file import KeptFile
from bridge.outputs.record import RATE_HZ

_EFFORT: Final = 0.25
"""Of 0…1: more takes longer, and makes speech hardly smaller."""
_ZEROS: Final = np.zeros((RATE_HZ, 2), np.int16)


class FlacFile:
    """One FLAC file, 48 kHz, 16 bits. It is readable when it is finished, not before."""

    def __init__(self, path: Path, channels: int = 1) -> None:
        """The directory must be there. Raises OSError."""
        self.file = KeptFile(path)
        self._channels = channels
        self._drain = _Drain(self.file)
        self._coder = soundfile.SoundFile(
            self._drain, "w", RATE_HZ, channels, "PCM_16", format="FLAC", compression_level=_EFFORT
        )

    def put(self, pcm: NDArray[np.int16] | None, samples: int) -> None:
        """`samples` more: `pcm` of shape [samples] or [samples, channels], or silence. Raises OSError."""
        if pcm is not None:
            self._write(pcm)
            return
        for at in range(0, samples, RATE_HZ):
            self._write(_ZEROS[: min(RATE_HZ, samples - at), : self._channels])

    def sync(self) -> None:
        """What was coded is on the disk."""
        self.file.sync()

    def branch(self) -> None:
        """After a fork: go on in a copy."""
        self.file.branch()

    def finish(self) -> None:
        """It is whole."""
        self._coder.close()
        self._drain.check()
        self.file.finish()

    def abandon(self) -> None:
        """It is not wanted."""
        self._drain.closed = True
        self._coder.close()
        self.file.abandon()

    def _write(self, pcm: NDArray[np.int16]) -> None:
        try:
            self._coder.write(pcm)
        except soundfile.SoundFileError:
            self._drain.check()
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from None
        self._drain.check()


class _Drain:
    """What the library writes to. It calls from C, where no exception gets through: `check` raises it."""

    def __init__(self, file: KeptFile) -> None:
        self._file = file
        self._wrong: OSError | None = None
        self.closed = False
        """What still comes goes nowhere."""

    def write(self, some: bytes) -> int:
        if self.closed:
            return len(some)
        try:
            return self._file.write(some)
        except OSError as wrong:
            self._wrong = self._wrong or wrong
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return 0 if self.closed else self._file.seek(offset, whence)

    def tell(self) -> int:
        return 0 if self.closed else self._file.tell()

    def check(self) -> None:
        """Raises the OSError that there was."""
        if self._wrong is not None:
            raise self._wrong
