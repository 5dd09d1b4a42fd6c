"""The silence gate: inputs that carry nothing but faint noise do not enter the mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS
from mediacodecs.levels import OVERLOAD_RMS

PARTS = 4
"""A frame is judged by its loudest quarter (5 ms): an onset late in it opens the gate for all of it."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When an input counts as silent. Levels in dBov."""

    enabled: bool = True
    threshold_dbov: float = -60.0
    """What is not louder never opens the gate."""
    ceiling_dbov: float = -50.0
    """What is louder always does, however noisy the place is."""
    margin_db: float = 9.0
    """Between the two the threshold lies this far above the input's own noise."""
    hang_over_ms: int = 300
    """How long it stays open after the last loud part."""

    def __post_init__(self) -> None:
        if not -127 <= self.threshold_dbov <= self.ceiling_dbov <= 0 or self.hang_over_ms < 0:
            raise ValueError("a gate needs -127 ≤ threshold ≤ ceiling ≤ 0 dBov and a hang-over of at least 0")


class GateVerdict(NamedTuple):
    """What becomes of the inputs looked at; indices into them."""

    passing: NDArray[np.bool_]
    """[m]: goes into the mix."""
    opening: NDArray[np.intp]
    """Passes after something of it was held back: to be faded in."""
    closing: NDArray[np.intp]
    """Passes for the last time: to be faded out."""


class GateState:
    """What the gate remembers of every slot: arrays [R, K]."""

    __slots__ = ("floor", "hang", "held", "open")

    def __init__(self, rows: int, capacity: int) -> None:
        shape = (rows, capacity)
        self.open = np.zeros(shape, dtype=np.bool_)
        self.hang = np.zeros(shape, dtype=np.int32)  # ticks it stays open for
        self.held = np.zeros(shape, dtype=np.bool_)  # the last frame was held back and not empty
        self.floor = np.zeros(shape, dtype=np.float32)  # the noise's power


class Gate:
    """Decides frame by frame, opening in the same tick, so that no word loses its beginning."""

    def __init__(self, settings: GateSettings) -> None:
        self._enabled = settings.enabled
        self._low = _power(settings.threshold_dbov)
        self._high = _power(settings.ceiling_dbov)
        self._margin = np.float32(10 ** (settings.margin_db / 10))
        self._floor_low = np.float32(self._low / self._margin)
        self._hang = settings.hang_over_ms // PTIME_MS
        self._rise = np.float32(10 ** (0.3 * PTIME_MS / 1000))  # the noise estimate goes up by 3 dB a second

    def judge(self, state: GateState, slots: NDArray[np.intp], powers: NDArray[np.float32]) -> GateVerdict:
        """Move `state` on by a tick. `powers` [m, PARTS]: mean squares of the inputs in `slots` [m] (flat).

        Slots not named have nothing to hear: their gate closes without a fade.
        """
        loudest, faintest = powers.max(axis=1), powers.min(axis=1)
        is_open, hang, held = state.open.reshape(-1), state.hang.reshape(-1), state.held.reshape(-1)
        floors = state.floor.reshape(-1)
        floor = np.maximum(np.minimum(faintest, floors[slots] * self._rise), self._floor_low)
        floors[slots] = floor
        threshold = np.clip(floor * self._margin, self._low, self._high)
        if self._enabled:
            left = np.where(loudest > threshold, self._hang + 1, np.maximum(hang[slots] - 1, 0))
        else:
            left = np.full(len(slots), 1)
        was_open, stays_open = is_open[slots], left > 0
        opening = np.flatnonzero(stays_open & held[slots])
        closing = np.flatnonzero(was_open & ~stays_open)
        is_open[:] = False
        is_open[slots] = stays_open
        hang[:] = 0
        hang[slots] = left
        held[:] = False
        held[slots] = ~stays_open & (loudest > 0)
        return GateVerdict(stays_open | was_open, opening, closing)


def _power(dbov: float) -> np.float32:
    return np.float32(OVERLOAD_RMS**2 * 10 ** (dbov / 10))
