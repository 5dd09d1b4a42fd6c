"""How loud every slot is, and whether somebody talks there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS
from mediacodecs.levels import OVERLOAD_RMS


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """When a slot counts as talking. Levels in dBov (RFC 6464)."""

    talking_dbov: float = -45.0
    """Louder than this for `attack_ms` is talking."""
    quiet_dbov: float = -50.0
    """Fainter than this for `hold_ms` is not."""
    attack_ms: int = 60
    hold_ms: int = 500

    def __post_init__(self) -> None:
        if not -127 <= self.quiet_dbov <= self.talking_dbov <= 0 or min(self.attack_ms, self.hold_ms) < 0:
            raise ValueError("a meter needs -127 ≤ quiet ≤ talking ≤ 0 dBov and times of at least 0")


class MeterState:
    """What the meter remembers of every slot: arrays [R, K]."""

    __slots__ = ("power", "run", "talking")

    def __init__(self, rows: int, capacity: int) -> None:
        shape = (rows, capacity)
        self.power = np.zeros(shape, dtype=np.float32)  # smoothed mean square at int16 scale
        self.talking = np.zeros(shape, dtype=np.bool_)
        self.run = np.zeros(shape, dtype=np.int32)  # ticks that spoke for the other verdict, in a row


class Meter:
    """Smooths levels (up in about 30 ms, down in about 150) and decides on talking, with hysteresis."""

    _UP = np.float32(0.6)
    _DOWN = np.float32(0.15)

    def __init__(self, settings: MeterSettings) -> None:
        self._on = np.float32(OVERLOAD_RMS**2 * 10 ** (settings.talking_dbov / 10))
        self._off = np.float32(OVERLOAD_RMS**2 * 10 ** (settings.quiet_dbov / 10))
        self._attack = max(1, settings.attack_ms // PTIME_MS)
        self._hold = max(1, settings.hold_ms // PTIME_MS)

    def read(self, state: MeterState, powers: NDArray[np.float32]) -> NDArray[np.intp]:
        """Take this tick's mean squares [R, K]; gives the flat slots whose `talking` has changed."""
        smooth, talking, run = state.power, state.talking, state.run
        step = powers - smooth
        step *= np.where(step > 0, self._UP, self._DOWN)
        smooth += step
        against = np.where(talking, smooth < self._off, smooth > self._on)
        run += 1
        run *= against
        changed = run >= np.where(talking, self._hold, self._attack)
        talking ^= changed
        run[changed] = 0
        return np.flatnonzero(changed)
