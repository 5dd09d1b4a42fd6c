"""Linear 16-bit audio on the wire: signed, little-endian, mono."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

_SWAPPED = sys.byteorder == "big"


def l16_decode(payload: bytes | bytearray | memoryview) -> NDArray[np.int16]:
    """Samples [n] of a payload of 2n bytes; a read-only view of it where the machine's byte order allows.

    Raises ValueError when the length is odd.
    """
    if len(payload) & 1:
        raise ValueError(f"L16 audio of {len(payload)} bytes: the length must be even")
    samples = np.frombuffer(payload, dtype=np.int16)
    return samples.byteswap() if _SWAPPED else samples


def l16_encode(samples: NDArray[np.int16]) -> bytes:
    """The wire bytes of int16 samples of any shape, in C order."""
    return samples.byteswap().tobytes() if _SWAPPED else samples.tobytes()
