"""A room as the verbs leave it: names, numbers and what is plugged in. Banks copy it at the tick edge."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridge.core.pool import Pool

if TYPE_CHECKING:
    from bridge.core.bank import Bank

PROGRAM = "*"
"""The program row as a listener's name: the whole room's mix."""
LOWEST_RATE_HZ = 8_000
MAX_GAIN = 16.0
"""+24 dB: more only amplifies noise."""


class UnknownName(KeyError):
    """No room, slot or outlet of that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@dataclass(slots=True, eq=False)
class Input:
    """An open row of a pool, and the slot it plays into."""

    pool: Pool
    row: int
    room: Room
    slot: Slot
    open: bool = True


@dataclass(slots=True, eq=False)
class Slot:
    """A named place in a room. `index` is its row and column in the room's numbers."""

    name: str
    index: int
    input: Input | None = None
    outlets: set[int] = field(default_factory=set)
    """Ids of the outlets that give this slot's mix, or this slot alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a room stands: a row of a bank."""

    bank: Bank
    row: int


class Room:
    """Names, gains and faders; no audio.

    `gains` [K+1, K] float32: row i is what slot i hears, row K the program; `faders` [K]. Columns and rows
    of indices not in use are 0. K is a power of two and only grows.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.capacity = 2
        self.rate_hz = LOWEST_RATE_HZ
        self.gains = np.zeros((3, 2), dtype=np.float32)
        self.faders = np.zeros(2, dtype=np.float32)
        self.slots: dict[str, Slot] = {}
        self.names: list[str | None] = [None, None]
        self.fresh: set[int] = set()
        """Indices given out since the last tick edge: nothing of their past applies."""
        self.program_outlets: set[int] = set()
        self.resting: set[int] = set()
        """Indices whose last slot is still fading out."""
        self.place: Place | None = None

    def slot(self, name: str) -> Slot:
        """Raises UnknownName."""
        slot = self.slots.get(name)
        if slot is None:
            raise UnknownName(f"room {self.name!r} has no slot {name!r}")
        return slot

    def open_slot(self, name: str, silent_for: Collection[str]) -> Slot:
        """Add a slot that hears and is heard by all others but those in `silent_for`.

        Raises ValueError for a name in use, UnknownName for one in `silent_for` that is not.
        """
        if name in self.slots or name == PROGRAM:
            raise ValueError(f"room {self.name!r} already has a slot {name!r}")
        apart = {self.slot(other).index for other in silent_for}
        index = self._free_index()
        others = [slot.index for slot in self.slots.values() if slot.index not in apart]
        self.gains[index, others] = 1
        self.gains[others, index] = 1
        self.gains[self.capacity, index] = 1
        self.faders[index] = 1
        slot = Slot(name, index)
        self.slots[name] = slot
        self.names[index] = name
        self.fresh.add(index)
        return slot

    def close_slot(self, name: str, *, fading: bool) -> None:
        """Remove a slot. `fading`: its sound is heard for one more tick, so its column stays till then.

        Raises UnknownName.
        """
        slot = self.slot(name)
        del self.slots[name]
        self.names[slot.index] = None
        self.gains[slot.index, :] = 0
        self.fresh.discard(slot.index)
        if fading:
            self.resting.add(slot.index)
        else:
            self._clear(slot.index)

    def rested(self, slot: Slot) -> bool:
        """What played into `slot` has faded out. True if that is closed: its index is free from now on."""
        if slot.index not in self.resting:
            return False
        self.resting.discard(slot.index)
        self._clear(slot.index)
        return True

    def set_gain(self, listener: str, source: str, gain: float) -> None:
        """Raises UnknownName, ValueError for a gain not within 0…16."""
        row = self.capacity if listener == PROGRAM else self.slot(listener).index
        self.gains[row, self.slot(source).index] = _checked(gain)

    def set_fader(self, name: str, gain: float) -> None:
        """Raises UnknownName, ValueError for a gain not within 0…16."""
        self.faders[self.slot(name).index] = _checked(gain)

    def _clear(self, index: int) -> None:
        self.gains[:, index] = 0
        self.faders[index] = 0

    def _free_index(self) -> int:
        for index, name in enumerate(self.names):
            if name is None and index not in self.resting:
                return index
        index = self.capacity
        self._grow()
        return index

    def _grow(self) -> None:
        old, new = self.capacity, 2 * self.capacity
        gains: NDArray[np.float32] = np.zeros((new + 1, new), dtype=np.float32)
        gains[:old, :old] = self.gains[:old]
        gains[new, :old] = self.gains[old]
        self.gains = gains
        self.faders = np.concatenate((self.faders, np.zeros(old, dtype=np.float32)))
        self.names += [None] * old
        self.capacity = new


def _checked(gain: float) -> float:
    if not (math.isfinite(gain) and 0 <= gain <= MAX_GAIN):
        raise ValueError(f"a gain is within 0…{MAX_GAIN:g}, not {gain}")
    return gain
