"""Who gets Opus of a mix: the rows that are read, and whose row each one's stream encodes."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.table import FIRST_CAPACITY, Table

PROGRAM_LEADS = -1
"""In `lead`: the stream is the room's program."""


class Listeners(Table):
    """A table of output rows with packet outlets. Columns are arrays over listener numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._free: list[int] = []
        self.row = self._column("row", np.intp)
        """The room's row in its bank."""
        self.index = self._column("index", np.intp)
        """The output's index; K for those who want the program as such."""
        self.lead = self._column("lead", np.intp, PROGRAM_LEADS)
        """The listener whose row the stream encodes."""
        self.agreed = self._column("agreed", np.int32)
        """Ticks in a row in which it heard the program, while on another stream."""
        self.twin = self._column("twin", np.intp)
        """Another stream's lead that heard the same."""
        self.twinned = self._column("twinned", np.int32)
        """Ticks in a row in which it did."""
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more listeners."""
        self._free.extend(range(capacity - 1, len(self.row) - 1, -1))
        super().grow(capacity)

    def add(self) -> int:
        """A number for a new listener, on the program's stream."""
        if not self._free:
            self.grow(2 * len(self.row))
        number = self._free.pop()
        self.reset(number)
        return number

    def remove(self, number: int) -> None:
        """`number` may be given to another."""
        self._free.append(number)

    def differ(self, bank: Bank, numbers: NDArray[np.intp]) -> NDArray[np.bool_]:
        """[n]: what listeners `numbers` hear now is not what the leads of their streams hear; none is led by
        the program.
        """
        rows, index, than = self.row[numbers], self.index[numbers], self.index[self.lead[numbers]]
        active = bank.active[rows]
        gains = bank.crosspoint
        apart = ((gains[rows, index] != gains[rows, than]) & active).any(axis=1)
        apart |= bank.limit_gain[rows, index] != bank.limit_gain[rows, than]
        for row, old in bank.moving:
            here = np.flatnonzero(rows == row)
            apart[here] |= ((old[index[here]] != old[than[here]]) & active[here]).any(axis=1)
        return np.asarray(apart, dtype=np.bool_)

    def heard(self, bank: Bank, number: int) -> bytes:
        """What `number` hears now, as something that can be compared."""
        row, index = self.row[number], self.index[number]
        parts = [np.where(bank.active[row], bank.crosspoint[row, index], 0), bank.limit_gain[row, index]]
        parts += [np.where(bank.active[row], old[index], 0) for at, old in bank.moving if at == row]
        return b"".join(np.asarray(part).tobytes() for part in parts)

    def first_alike(self, bank: Bank, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """[n]: for each of `numbers` the first that (almost surely) hears the same in its room."""
        rows, index = self.row[numbers], self.index[numbers]
        # A row of gains becomes one number by a fixed random direction; the caller compares exactly.
        code = np.where(bank.active[rows], bank.crosspoint[rows, index], 0) @ _direction(bank.capacity)
        code += bank.limit_gain[rows, index]
        _, first, group = np.unique(rows + 1j * code, return_index=True, return_inverse=True)
        return np.asarray(numbers[first[group]], dtype=np.intp)


@cache
def _direction(length: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).standard_normal(length)
