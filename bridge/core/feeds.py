"""From the pools to the banks: which row plays into which slot, resampled where the rates differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.filter_memory import FilterMemory
from bridge.core.pool import Pool
from bridge.core.room import Place
from bridge.core.table import FIRST_CAPACITY, Table


@dataclass(slots=True)
class _Cable:
    """All rows of a pool that play into one bank."""

    bank: Bank
    rows: NDArray[np.intp]
    slots: NDArray[np.intp]
    memory: FilterMemory | None


class Feed(Table):
    """One pool's rows and where they go. Tables are indexed by the pool's row."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self._banks: list[Bank] = []
        self._bank_of = self._column("_bank_of", np.intp, -1)  # index into _banks
        self._slot_of = self._column("_slot_of", np.intp)  # flat
        self._memories: dict[int, FilterMemory] = {}
        self._cables: list[_Cable] = []
        self._changed = False
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        for memory in self._memories.values():
            memory.grow(capacity)

    def plug(self, row: int, place: Place, index: int) -> None:
        """From now on `row` plays into slot `index` of the room at `place`."""
        capacity = len(self._bank_of)
        if row >= capacity:
            self.grow(max(2 * capacity, row + 1))
        bank = place.bank
        if bank not in self._banks:
            self._banks.append(bank)
        before = self._bank_of[row]
        number = self._banks.index(bank)
        if before < 0:  # another input's row until now: nothing of that may sound on, at whatever rate
            for memory in self._memories.values():
                memory.reset(row)
        elif bank.rate_hz not in (self._banks[before].rate_hz, self.pool.rate_hz):
            self._memory(bank.rate_hz).remember(row, self.pool.block[row])
        self._bank_of[row] = number
        self._slot_of[row] = place.row * bank.capacity + index
        self._changed = True

    def unplug(self, row: int) -> None:
        """`row` plays into nothing."""
        if row < len(self._bank_of) and self._bank_of[row] >= 0:
            self._bank_of[row] = -1
            self._changed = True

    def frame(self, row: int, rate_hz: int) -> NDArray[np.float32]:
        """The tick's sound of a row, at the rate it was played at until now."""
        rows = np.array([row], dtype=np.intp)
        frames = self.pool.block[rows]
        if rate_hz != self.pool.rate_hz:
            frames = self._memory(rate_hz).run(rows, frames)
        frame: NDArray[np.float32] = frames[0]
        return frame

    def rewire(self) -> None:
        """Call after plugging, before `listen` and `fill`."""
        if not self._changed:
            return
        self._changed = False
        self._cables = []
        for number, bank in enumerate(self._banks):
            rows = np.flatnonzero(self._bank_of == number)
            if rows.size:
                same = bank.rate_hz == self.pool.rate_hz
                memory = None if same else self._memory(bank.rate_hz)
                self._cables.append(_Cable(bank, rows, self._slot_of[rows], memory))

    def listen(self, heard: dict[int, NDArray[np.bool_]]) -> None:
        """Tell the pool what anybody hears; `heard` holds a mask of flat slots for each id of a bank."""
        self.pool.wanted[:] = False
        for cable in self._cables:
            self.pool.wanted[cable.rows] = heard[id(cable.bank)][cable.slots]

    def fill(self) -> None:
        """Put this tick's sounding rows on the stages of their banks."""
        sounding = self.pool.sounding
        for cable in self._cables:
            on = sounding[cable.rows]
            if cable.memory is not None:
                ringing = cable.memory.ringing
                before = ringing[cable.rows]
                ringing[cable.rows] = on
                on |= before
            rows, slots = cable.rows, cable.slots
            if not on.all():
                chosen = np.flatnonzero(on)
                if not chosen.size:
                    continue
                rows, slots = rows[chosen], slots[chosen]
            bank = cable.bank
            start, end = bank.count, bank.count + len(rows)
            stage = bank.stage[start:end]
            if cable.memory is None:
                # "clip" lets take() write straight into the stage; the indices are all within range.
                np.take(self.pool.block, rows, axis=0, out=stage, mode="clip")
            else:
                cable.memory.run(rows, self.pool.block[rows], stage)
            bank.stage_slots[start:end] = slots
            bank.count = end

    def _memory(self, rate_hz: int) -> FilterMemory:
        if rate_hz not in self._memories:
            self._memories[rate_hz] = FilterMemory(self.pool.rate_hz, rate_hz, len(self._bank_of))
        return self._memories[rate_hz]
