"""How loud: root mean square, and the level of RFC 6464."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OVERLOAD_RMS = 32_767.0
"""RMS of the loudest signal int16 can hold, a full-scale square wave: 0 dBov (RFC 6464 §3).

A full-scale sine is 3.01 dB below it.
"""
SILENCE_DBOV = -127.0
"""The lowest level there is; digital silence is this (RFC 6464 §3)."""

_LOWEST_RMS = OVERLOAD_RMS * 10 ** (SILENCE_DBOV / 20)


def rms(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square [...] of float32 samples [..., S] at int16 scale, S ≥ 1."""
    power: NDArray[np.float32] = np.asarray(np.vecdot(x, x), dtype=np.float32)
    power *= np.float32(1.0 / x.shape[-1])
    return np.sqrt(power, out=power)


def dbov(rms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Level in dBov, -127…0, of an RMS at int16 scale, in its shape; above overload is 0.

    RFC 6464 sends it as the whole number -round(dBov).
    """
    level: NDArray[np.float32] = np.asarray(
        np.clip(rms, np.float32(_LOWEST_RMS), np.float32(OVERLOAD_RMS)), dtype=np.float32
    )
    level = np.asarray(np.log10(level * np.float32(1.0 / OVERLOAD_RMS)), dtype=np.float32)
    level *= np.float32(20.0)
    return np.clip(level, np.float32(SILENCE_DBOV), np.float32(0.0), out=level)
