"""When a slot truly began or ceased to sound, of which its meter tells only a while afterwards.

A meter decides after the attack and, when a sound is over, after its smoothed level has sunk and the hold
has passed: the louder the sound was, the later. `Edges` looks at the same powers and remembers how long ago
it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.meter import Meter, MeterSettings, MeterState
from bridge.core.ports import PTIME_MS
from mediacodecs.levels import OVERLOAD_RMS

_GAP = 5
"""Ticks without sound (100 ms) after which what comes is a new beginning."""
_PATIENCE = 500
"""Ticks within which any meter has decided."""


class EdgeState:
    """What is remembered of every slot: arrays [R, K] in ticks. All zeros is the state of a new slot."""

    __slots__ = ("mask", "quiet", "sound")

    def __init__(self, rows: int, capacity: int) -> None:
        self.quiet = np.zeros((rows, capacity), dtype=np.int32)  # since the last one that was not quiet
        self.sound = np.zeros((rows, capacity), dtype=np.int32)  # since the sound began, that one included
        self.mask = np.zeros((rows, capacity), dtype=np.bool_)  # a tick's, kept for its memory alone


class Edges:
    """`note` every tick's powers, then ask for the slots whose talking the meter says has changed."""

    def __init__(self, settings: MeterSettings) -> None:
        self._on = _power(settings.talking_dbov)
        self._off = _power(settings.quiet_dbov)
        self._most = max(1, settings.attack_ms // PTIME_MS) + _GAP

    def note(self, state: EdgeState, powers: NDArray[np.float32]) -> None:
        """Take this tick's mean squares [R, K]: the same that the meter reads."""
        quiet, sound, mask = state.quiet, state.sound, state.mask
        quiet += 1
        np.copyto(quiet, 0, where=np.greater(powers, self._off, out=mask))
        np.greater(powers, self._on, out=mask)
        np.logical_or(mask, sound, out=mask)
        sound += mask
        np.copyto(sound, 0, where=np.greater_equal(quiet, _GAP, out=mask))

    def ago_ms(self, state: EdgeState, slot: int, talking: bool) -> int:
        """How long before this tick's frame begins flat slot `slot` truly began or ceased: ±20 ms.

        A beginning is that of the first frame with sound, an end that of the last one. What is rounded
        outwards by that is made up for by the soft onsets and endings of speech.
        """
        if talking:
            ticks = min(max(1, int(state.sound.reshape(-1)[slot])), self._most)
            return (ticks - 1) * PTIME_MS
        return (int(state.quiet.reshape(-1)[slot]) - 1) * PTIME_MS


@dataclass(frozen=True, slots=True)
class MeterLag:
    """How long before the frame in which a meter says so a sound of a certain level began, and ended."""

    began_ms: int
    ended_ms: int


def meter_lag(settings: MeterSettings, level_dbov: float = -26.0) -> MeterLag:
    """The lag for a sound of constant level (as a rule that of speech on telephones, ITU-T P.56).

    Raises ValueError for a level at which the meter sees no talking.
    """
    meter, state = Meter(settings), MeterState(1, 1)
    ticks = []
    for power in (_power(level_dbov), np.float32(0)):
        powers = np.full((1, 1), power, dtype=np.float32)
        changes = [tick for tick in range(_PATIENCE) if meter.read(state, powers).size]
        ticks.append(changes[0] if changes else None)
    if ticks[0] is None or ticks[1] is None:
        raise ValueError(
            f"a meter that begins at {settings.talking_dbov} dBov does not see {level_dbov} dBov"
        )
    return MeterLag(ticks[0] * PTIME_MS, ticks[1] * PTIME_MS)


def _power(dbov: float) -> np.float32:
    return np.float32(OVERLOAD_RMS**2 * 10 ** (dbov / 10))
