"""Inputs that are closed while they sound: one more tick of them, fading out, so that nothing is cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.pools import Pools
from bridge.core.room import Input, Place, Room, Slot


@dataclass(frozen=True, slots=True)
class _Leaving:
    input: Input
    place: Place
    """Where it sounded last."""
    gain: float


class Farewells:
    """Inputs on their way out. A slot's index rests until its last sound has faded."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._leaving: list[_Leaving] = []

    def __bool__(self) -> bool:
        return bool(self._leaving)

    @staticmethod
    def needed(room: Room, index: int) -> bool:
        """Whether slot `index` was heard in the last tick."""
        place = room.place
        if place is None or index in room.fresh or index >= place.bank.capacity:
            return False
        return bool(place.bank.active[place.row, index])

    def hold(self, slot: Slot) -> bool:
        """Whether something that played into `slot` is to fade out in the next tick."""
        return any(one.input.slot is slot for one in self._leaving)

    def add(self, leaving: Input) -> None:
        """Let `leaving`, which `needed` this and was unplugged, fade out in the next tick."""
        place, index = leaving.room.place, leaving.slot.index
        assert place is not None
        gain = float(place.bank.fader_before[place.row, index])
        self._leaving.append(_Leaving(leaving, place, gain))

    def listen(self) -> None:
        """Have their pools still give sound; call after the feeds have said what they want."""
        for one in self._leaving:
            one.input.pool.wanted[one.input.row] = True

    def sound(self) -> None:
        """Add the fading sound to `live`; call between `take_in` and `mix`."""
        for one in self._leaving:
            place, pool, row = one.input.room.place, one.input.pool, one.input.row
            # A room that changed its rate in this very tick is not worth the trouble.
            if place is None or place.bank.rate_hz != one.place.bank.rate_hz or not pool.sounding[row]:
                continue
            frame = self._pools.feed(pool).frame(row, place.bank.rate_hz)
            place.bank.add(place.row, one.input.slot.index, _faded(frame, one.gain))

    def done(self) -> list[Room]:
        """Close their rows; gives the rooms whose numbers have changed."""
        changed: list[Room] = []
        for one in self._leaving:
            self._pools.close(one.input)
            if one.input.room.rested(one.input.slot):
                changed.append(one.input.room)
        self._leaving.clear()
        return changed


def _faded(frame: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    return frame * np.linspace(gain, 0, len(frame), endpoint=False, dtype=np.float32)
