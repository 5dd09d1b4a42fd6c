"""Keys as sound: DTMF tone pairs (ITU-T Q.23), at the levels and lengths telephones send them with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
"""Row by row: the low tone says which row, the high one which column (Q.23)."""

LOW_DBM0 = -9.0
HIGH_DBM0 = -7.0
"""The high tone is the louder one because lines swallow more of it (ETSI ES 201 235-2)."""
SINE_DBM0 = 3.14
"""Level of a sine that just fits into 16 bits (ITU-T G.711)."""

ON_MS = 100
OFF_MS = 100
"""Receivers want no less than 40 ms of each (ITU-T Q.24)."""
RAMP_MS = 5
"""A tone that began at once would click, and the click might spoil the pair."""

_PAIRS = {
    key: (low, high)
    for row, low in zip(KEYS, LOW_HZ, strict=True)
    for key, high in zip(row, HIGH_HZ, strict=True)
}


def frequencies(key: str) -> tuple[int, int]:
    """The low and the high tone of one of `0123456789*#ABCD`; raises ValueError for anything else."""
    try:
        return _PAIRS[key]
    except KeyError:
        raise ValueError("not a key of a telephone") from None


def dtmf(key: str, rate_hz: int, on_ms: int = ON_MS, off_ms: int = OFF_MS) -> NDArray[np.int16]:
    """Samples [(on_ms + off_ms) * rate_hz // 1000] of one key: its tones with soft edges, then silence.

    Raises ValueError for what is not a key, or a tone too short for its edges.
    """
    if on_ms < 2 * RAMP_MS or off_ms < 0:
        raise ValueError(f"a tone of {on_ms} ms and a pause of {off_ms} ms cannot be heard")
    samples = on_ms * rate_hz // 1000
    time = np.arange(samples) / rate_hz
    sound = np.zeros(samples)
    for frequency_hz, level_dbm0 in zip(frequencies(key), (LOW_DBM0, HIGH_DBM0), strict=True):
        amplitude = 32_767 * 10 ** ((level_dbm0 - SINE_DBM0) / 20)
        sound += amplitude * np.sin(2 * math.pi * frequency_hz * time)
    ramp = RAMP_MS * rate_hz // 1000
    rising = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2
    sound[:ramp] *= rising
    sound[-ramp:] *= rising[::-1]
    whole = np.zeros(samples + off_ms * rate_hz // 1000, dtype=np.int16)
    whole[:samples] = np.rint(sound)
    return whole
