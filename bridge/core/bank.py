"""All rooms of one rate and capacity, mixed at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.core.encoders import WARM_FRAMES
from bridge.core.gate import PARTS, Gate, GateState
from bridge.core.limiter import Limiter
from bridge.core.meter import Meter, MeterState
from bridge.core.ports import PTIME_MS
from bridge.core.room import Room
from mediacodecs.resample import resampler

HISTORY = WARM_FRAMES
"""Past frames of every output row that are kept, for encoders to be warmed up with."""
_FIRST_ROWS = 4
_LONG_QUIET = 1_000_000


@dataclass(frozen=True, slots=True)
class Stages:
    """What the banks of one rate share: none of it holds a room's state."""

    gate: Gate
    meter: Meter
    limiter: Limiter


class Bank:
    """Rooms in rows 0…n-1. Flat slot = row * K + index; flat output = row * (K+1) + index.

    A tick: `stage` is filled up to `count` and `stage_slots` says whose it is (`feeds`), then `take_in`, then
    `mix`; afterwards `out`, `sounds`, `solo` and `solo_sounds` hold until the next tick. `shift` begins one.
    """

    def __init__(self, rate_hz: int, capacity: int, stages: Stages, turn: int = 0) -> None:
        """`turn`: the number of the newest tick; all banks are given the same ones."""
        self.rate_hz = rate_hz
        self.capacity = capacity
        self.samples = rate_hz * PTIME_MS // 1000
        self.rooms: list[Room] = []
        self._stages = stages
        self._ramp = np.arange(1, self.samples + 1, dtype=np.float32) / np.float32(self.samples)
        self._turn = turn % (HISTORY + 1)
        self.moving: list[tuple[int, NDArray[np.float32]]] = []
        """Rows whose gains change in this tick, and what they were, [K+1, K]."""
        self._allocate(_FIRST_ROWS)

    def _allocate(self, rows: int) -> None:
        k, s = self.capacity, self.samples
        self.stage = np.zeros((rows * k, s), dtype=np.float32)
        self.stage_slots = np.zeros(rows * k, dtype=np.intp)
        self.count = 0
        self.live = np.zeros((rows, k, s), dtype=np.float32)
        self.active = np.zeros((rows, k), dtype=np.bool_)  # a row of live is not all zeros
        self.crosspoint = np.zeros((rows, k + 1, k), dtype=np.float32)
        self.fader = np.zeros((rows, k), dtype=np.float32)
        self.fader_before = np.zeros((rows, k), dtype=np.float32)
        self.gate = GateState(rows, k)
        self.meter = MeterState(rows, k)
        self.limit_gain = np.ones((rows, k + 1), dtype=np.float32)
        self._mix = np.zeros((rows, k + 1, s), dtype=np.float32)
        self._ring = np.zeros((HISTORY + 1, rows, k + 1, s), dtype=np.int16)
        self.sounds = np.zeros((rows, k + 1), dtype=np.bool_)
        self.quiet = np.zeros((rows, k + 1), dtype=np.int32)  # ticks since it sounded
        self.tapped = np.zeros((rows, k), dtype=np.bool_)  # somebody wants this slot alone
        self.solo = np.zeros((rows * k, s), dtype=np.int16)
        self.solo_sounds = np.zeros(rows * k, dtype=np.bool_)

    @property
    def out(self) -> NDArray[np.int16]:
        """[rows * (K+1), S]: what every slot hears, and every room's program."""
        newest: NDArray[np.int16] = self._ring[self._turn]
        return newest.reshape(-1, self.samples)

    def past(self, flat: int) -> NDArray[np.int16]:
        """[HISTORY, S]: the frames of output `flat` before the newest, oldest first; a copy."""
        turns = (self._turn + 1 + np.arange(HISTORY)) % (HISTORY + 1)
        row, index = divmod(flat, self.capacity + 1)
        frames: NDArray[np.int16] = self._ring[turns, row, index]
        return frames

    # --- rooms come and go ---

    def _state(self) -> list[NDArray[Any]]:
        """Everything of a room that outlasts a tick and is not on its desk: arrays [rows, K or K+1, ...]."""
        gate, meter = self.gate, self.meter
        per_slot: list[NDArray[Any]] = [
            gate.open,
            gate.hang,
            gate.held,
            gate.floor,
            meter.power,
            meter.talking,
            meter.run,
        ]
        per_slot += [self.fader, self.fader_before, self.active, self.crosspoint]
        return [*per_slot, self.limit_gain, self.quiet]

    def add(self, room: Room) -> int:
        """Give `room` a row, with its numbers as they are; state of its own is only copied by `adopt`."""
        if len(self.rooms) == len(self.live):
            self._grow()
        row = len(self.rooms)
        self.rooms.append(room)
        self._wipe(row)
        self.crosspoint[row] = room.gains
        self.fader[row] = self.fader_before[row] = room.faders
        return row

    def adopt(self, row: int, other: Bank, other_row: int) -> None:
        """Take over what `other` knew of the room that is now in `row`."""
        k = other.capacity
        states = (
            (self.gate, other.gate, GateState.__slots__),
            (self.meter, other.meter, MeterState.__slots__),
            (self, other, ("fader_before",)),
        )
        for state, others, names in states:
            for name in names:
                getattr(state, name)[row, :k] = getattr(others, name)[other_row]
        self.crosspoint[row] = 0
        self.crosspoint[row, :k, :k] = other.crosspoint[other_row, :k]
        self.crosspoint[row, -1, :k] = other.crosspoint[other_row, -1]
        for mine, theirs in ((self.limit_gain, other.limit_gain), (self.quiet, other.quiet)):
            mine[row, :k] = theirs[other_row, :k]
            mine[row, -1] = theirs[other_row, k]
        past = other._ring[:, other_row]
        if self.rate_hz != other.rate_hz:
            order = (self._turn + 1 + np.arange(HISTORY + 1)) % (HISTORY + 1)
            sound = past[order].transpose(1, 0, 2).reshape(k + 1, -1).astype(np.float32)
            change = resampler(other.rate_hz, self.rate_hz)
            sound = np.clip(np.rint(change.process(sound, change.history(k + 1))), -32_768, 32_767)
            past = np.empty((HISTORY + 1, k + 1, self.samples), dtype=np.int16)
            past[order] = sound.reshape(k + 1, HISTORY + 1, -1).transpose(1, 0, 2)
        self._ring[:, row, :k] = past[:, :k]
        self._ring[:, row, -1] = past[:, k]

    def remove(self, row: int) -> Room | None:
        """Free `row`. The last room moves into the gap; it is given back when there is one."""
        last = len(self.rooms) - 1
        moved = self.rooms.pop()
        self.moving = [(row if at == last else at, old) for at, old in self.moving if at != row]
        if row == last:
            return None
        self.rooms[row] = moved
        for array in self._state():
            array[row] = array[last]
        for array in (self.live, self.sounds):
            array[row] = array[last]
        self._ring[:, row] = self._ring[:, last]
        return moved

    def _grow(self) -> None:
        rows = len(self.live)
        kept = [*self._state(), self.live, self.sounds]
        ring = self._ring
        self._allocate(2 * rows)
        for new, old in zip([*self._state(), self.live, self.sounds], kept, strict=True):
            new[:rows] = old
        self._ring[:, :rows] = ring

    def _wipe(self, row: int) -> None:
        for array in self._state():
            array[row] = 0
        self.limit_gain[row] = 1
        self.quiet[row] = _LONG_QUIET
        self.live[row] = 0
        self.sounds[row] = False
        self._ring[:, row] = 0

    def update(self, row: int, room: Room) -> None:
        """Take over the numbers of `room`; what changes for slots that were there before is cross-faded."""
        fresh = sorted(room.fresh)
        for index in fresh:
            for array in self._state()[:-2]:
                array[row, ..., index] = 0
            self.limit_gain[row, index] = 1
            self.quiet[row, index] = _LONG_QUIET
            self.live[row, index] = 0
            self._ring[:, row, index] = 0
            self.fader_before[row, index] = room.faders[index]
        old = self.crosspoint[row].copy()
        old[fresh, :] = room.gains[fresh, :]
        old[:, fresh] = room.gains[:, fresh]
        if not np.array_equal(old, room.gains):
            self.moving.append((row, old))
        self.crosspoint[row] = room.gains
        self.fader[row] = room.faders

    # --- a tick ---

    def shift(self, turn: int) -> None:
        """Begin tick number `turn`: the newest outputs become the past."""
        self._turn = turn % (HISTORY + 1)
        self.count = 0

    def take_in(self) -> list[tuple[Room, int, bool]]:
        """From `stage` to `live`: fader, level, taps, gate. Gives (room, index, talking) where it changed."""
        n, m = len(self.rooms), self.count
        x, slots = self.stage[:m], self.stage_slots[:m]
        self._fade(x, slots)
        quarters = x.reshape(m, PARTS, self.samples // PARTS)
        powers = np.vecdot(quarters, quarters) * np.float32(PARTS / self.samples)
        levels = np.zeros(self.meter.power.size, dtype=np.float32)
        levels[slots] = powers.mean(axis=1)
        changed = self._stages.meter.read(self.meter, levels.reshape(self.meter.power.shape))
        self._tap(x, slots)
        verdict = self._stages.gate.judge(self.gate, slots, powers)
        if verdict.opening.size:
            rise = np.minimum(self._ramp * np.float32(PTIME_MS), 1)  # 1 ms
            x[verdict.opening] *= rise
        if verdict.closing.size:
            x[verdict.closing] *= 1 - self._ramp
        self._place(x, slots, verdict.passing)
        k = self.capacity
        talking = self.meter.talking.reshape(-1)
        return [(self.rooms[flat // k], flat % k, bool(talking[flat])) for flat in changed if flat < n * k]

    def _fade(self, x: NDArray[np.float32], slots: NDArray[np.intp]) -> None:
        after, before = self.fader.reshape(-1)[slots], self.fader_before.reshape(-1)[slots]
        moving = np.flatnonzero(after != before)
        if moving.size:
            gain = (after - before)[moving, None] * self._ramp
            gain += before[moving, None]
            x[moving] *= gain
        scaled = np.flatnonzero((after == before) & (after != 1))
        if scaled.size:
            x[scaled] *= after[scaled, None]
        self.fader_before[:] = self.fader

    def _tap(self, x: NDArray[np.float32], slots: NDArray[np.intp]) -> None:
        if not self.tapped.any():
            return
        self.solo_sounds[:] = False
        wanted = np.flatnonzero(self.tapped.reshape(-1)[slots])
        taken = slots[wanted]
        self.solo[taken] = np.clip(np.rint(x[wanted]), -32_768, 32_767)
        self.solo_sounds[taken] = True

    def _place(self, x: NDArray[np.float32], slots: NDArray[np.intp], passing: NDArray[np.bool_]) -> None:
        if not passing.all():
            through = np.flatnonzero(passing)
            x, slots = x[through], slots[through]
        live, active = self.live.reshape(-1, self.samples), self.active.reshape(-1)
        stale = active.copy()
        stale[slots] = False
        gone = np.flatnonzero(stale)
        if gone.size:
            live[gone] = 0
            active[gone] = False
        live[slots] = x
        active[slots] = True

    def mix(self) -> None:
        """From `live` to `out`, for all rooms in one product."""
        n = len(self.rooms)
        active = self.active[:n].astype(np.float32)
        np.greater(np.matmul(self.crosspoint[:n], active[:, :, None])[:, :, 0], 0, out=self.sounds[:n])
        mix = self._mix[:n]
        np.matmul(self.crosspoint[:n], self.live[:n], out=mix)
        for row, old in self.moving:
            before = np.matmul(old, self.live[row])
            before -= mix[row]
            before *= 1 - self._ramp
            mix[row] += before
            self.sounds[row] |= np.matmul(old, active[row]) > 0
        self.quiet += 1
        self.quiet[self.sounds] = 0
        rows = mix.reshape(-1, self.samples)
        self._stages.limiter.limit(rows, self.limit_gain[:n].reshape(-1))
        np.rint(rows, out=rows)
        np.copyto(self.out[: len(rows)], rows, casting="unsafe")

    def settle(self) -> None:
        """End a tick: gains that were changing have arrived."""
        self.moving.clear()

    @property
    def changing(self) -> bool:
        """A fader or a gain is on its way to a new value in the tick to come."""
        return bool(self.moving) or not np.array_equal(self.fader, self.fader_before)

    def heard(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[rows, K]: inputs that reach an output in `wanted` [rows, K+1], or a tap, through an open fader."""
        n = len(self.rooms)
        reach = np.zeros(self.fader.shape, dtype=np.bool_)
        listeners = wanted[:n].astype(np.float32)[:, None, :]
        reach[:n] = np.matmul(listeners, self.crosspoint[:n])[:, 0, :] > 0
        for row, old in self.moving:
            reach[row] |= wanted[row].astype(np.float32) @ old > 0
        reach |= self.tapped
        reach &= (self.fader > 0) | (self.fader_before > 0)
        return reach
