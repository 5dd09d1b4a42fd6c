"""The rows of a bank: what every room in it consists of, and how rooms come, grow and go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.core.edges import EdgeState
from bridge.core.encoders import WARM_FRAMES
from bridge.core.gate import GateState
from bridge.core.meter import MeterState
from bridge.core.ports import PTIME_MS
from bridge.core.room import Room

HISTORY = WARM_FRAMES
"""Past frames of every output row that are kept, for encoders to be warmed up with."""
_SLOTS = 2_048
"""Slots in a bank: when they are used up another bank is opened, since growing would make a tick late.

Memory that was never touched costs nothing.
"""
_LONG_QUIET = 1_000_000


class BankRows:
    """Arrays over rooms in rows 0…n-1, without gaps. Nothing here runs in every tick."""

    def __init__(self, rate_hz: int, capacity: int, turn: int) -> None:
        self.rate_hz = rate_hz
        self.capacity = capacity
        self.samples = rate_hz * PTIME_MS // 1000
        self.rooms: list[Room] = []
        self.moving: list[tuple[int, NDArray[np.float32]]] = []
        """Rows whose gains change in this tick, and what they were, [K+1, K]."""
        self._turn = turn % (HISTORY + 1)
        self._allocate(max(1, _SLOTS // capacity))

    def _allocate(self, rows: int) -> None:
        k, s = self.capacity, self.samples
        self.stage = np.zeros((rows * k, s), dtype=np.float32)
        self.stage_slots = np.zeros(rows * k, dtype=np.intp)
        self.count = 0
        self.live = np.zeros((rows, k, s), dtype=np.float32)
        self.active = np.zeros((rows, k), dtype=np.bool_)  # a row of live is not all zeros
        self.peak = np.zeros((rows, k), dtype=np.float32)  # no sample of a row of live exceeds it
        self.crosspoint = np.zeros((rows, k + 1, k), dtype=np.float32)
        self.fader = np.zeros((rows, k), dtype=np.float32)
        self.fader_before = np.zeros((rows, k), dtype=np.float32)
        self.gate = GateState(rows, k)
        self.meter = MeterState(rows, k)
        self.edges = EdgeState(rows, k)
        self.limit_gain = np.ones((rows, k + 1), dtype=np.float32)
        self.sum = np.zeros((rows, k + 1, s), dtype=np.float32)
        self.ring = np.zeros((HISTORY + 1, rows, k + 1, s), dtype=np.int16)
        self.sounds = np.zeros((rows, k + 1), dtype=np.bool_)
        self.sounded = np.zeros((rows, k + 1), dtype=np.bool_)  # what sounds was in the tick before
        self.alike = np.zeros((rows, k + 1), dtype=np.bool_)  # gives exactly what the program gives
        self.alike_before = np.zeros((rows, k + 1), dtype=np.bool_)
        self.quiet = np.zeros((rows, k + 1), dtype=np.int32)  # ticks since it sounded
        self.tapped = np.zeros((rows, k), dtype=np.bool_)  # somebody wants this slot alone
        self.solo = np.zeros((rows, k, s), dtype=np.int16)
        self.solo_before = np.zeros((rows, k, s), dtype=np.int16)
        self.solo_sounds = np.zeros((rows, k), dtype=np.bool_)  # False: solo holds nothing of this tick
        self.solo_sounded = np.zeros((rows, k), dtype=np.bool_)  # the same of solo_before

    @property
    def out(self) -> NDArray[np.int16]:
        """[rows * (K+1), S]: what every slot hears, and every room's program."""
        newest: NDArray[np.int16] = self.ring[self._turn]
        return newest.reshape(-1, self.samples)

    @property
    def before(self) -> NDArray[np.int16]:
        """[rows * (K+1), S]: `out` of the tick before."""
        frames: NDArray[np.int16] = self.ring[(self._turn + HISTORY) % (HISTORY + 1)]
        return frames.reshape(-1, self.samples)

    def past(self, flat: int) -> NDArray[np.int16]:
        """[HISTORY, S]: the frames of output `flat` before the newest, oldest first; a copy."""
        row, index = divmod(flat, self.capacity + 1)
        frames: NDArray[np.int16] = self.ring[self.order()[:-1], row, index]
        return frames

    @property
    def full(self) -> bool:
        """There is no row for another room."""
        return len(self.rooms) == len(self.live)

    def order(self) -> NDArray[np.intp]:
        """[HISTORY + 1]: the places of the frames in `ring`, oldest first."""
        return (self._turn + 1 + np.arange(HISTORY + 1)) % (HISTORY + 1)

    def _of_slots(self) -> list[NDArray[Any]]:
        """What is kept of slots: arrays [rows, K, ...]. All zeros is the state of a slot just opened."""
        gate, meter = self.gate, self.meter
        kept: list[NDArray[Any]] = [gate.open, gate.hang, gate.held, gate.floor]
        kept += [meter.power, meter.talking, meter.run, self.edges.quiet, self.edges.sound]
        kept += [self.fader, self.fader_before]
        kept += [self.active, self.live, self.solo, self.solo_sounds]
        return kept

    def _of_outputs(self) -> list[NDArray[Any]]:
        """What is kept of outputs: arrays [rows, K+1, ...]."""
        return [self.limit_gain, self.quiet, self.sounds, self.alike, *self.ring]

    def _reset_outputs(self, row: int, index: int | slice) -> None:
        for array in self._of_outputs():
            array[row, index] = 0
        self.limit_gain[row, index] = 1
        self.quiet[row, index] = _LONG_QUIET

    def admit(self, room: Room) -> int:
        """Give `room` a row, with its numbers as they are; state of its own is only copied by `adopt`."""
        row = len(self.rooms)
        self.rooms.append(room)
        for array in self._of_slots():
            array[row] = 0
        self._reset_outputs(row, slice(None))
        self.crosspoint[row] = room.gains
        self.fader[row] = self.fader_before[row] = room.faders
        return row

    def adopt(self, row: int, other: BankRows, other_row: int) -> None:
        """Take over what `other` knew of the room that is now in `row`.

        Sound only comes along when the rate is the same; see `Handover`.
        """
        k = other.capacity
        self.crosspoint[row] = 0
        self.crosspoint[row, :k, :k] = other.crosspoint[other_row, :k]
        self.crosspoint[row, -1, :k] = other.crosspoint[other_row, -1]
        for mine, theirs in zip(self._of_slots(), other._of_slots(), strict=True):
            if mine.shape[2:] == theirs.shape[2:]:
                mine[row, :k] = theirs[other_row]
        for mine, theirs in zip(self._of_outputs(), other._of_outputs(), strict=True):
            if mine.shape[2:] == theirs.shape[2:]:
                mine[row, :k] = theirs[other_row, :k]
                mine[row, -1] = theirs[other_row, k]
        if self.rate_hz != other.rate_hz:
            self.active[row] = self.solo_sounds[row] = self.sounds[row] = False

    def remove(self, row: int) -> Room | None:
        """Free `row`. The last room moves into the gap; it is given back when there is one."""
        last = len(self.rooms) - 1
        moved = self.rooms.pop()
        self.moving = [(row if at == last else at, old) for at, old in self.moving if at != row]
        if row == last:
            return None
        self.rooms[row] = moved
        for array in (*self._of_slots(), *self._of_outputs(), self.crosspoint):
            array[row] = array[last]
        return moved

    def update(self, row: int, room: Room) -> None:
        """Take over the numbers of `room`; what changes for slots that were there before is cross-faded."""
        fresh = sorted(room.fresh)
        for index in fresh:
            for array in self._of_slots():
                array[row, index] = 0
            self._reset_outputs(row, index)
            self.fader_before[row, index] = room.faders[index]
        old = self.crosspoint[row].copy()
        old[fresh, :] = room.gains[fresh, :]
        old[:, fresh] = room.gains[:, fresh]
        if not np.array_equal(old, room.gains):
            self.moving.append((row, old))
        self.crosspoint[row] = room.gains
        self.fader[row] = room.faders
