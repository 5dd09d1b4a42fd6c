"""All rooms of one rate and capacity, mixed at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank_rows import HISTORY, BankRows
from bridge.core.edges import Edges
from bridge.core.gate import PARTS, Gate
from bridge.core.hall import mix_hall
from bridge.core.limiter import Limiter
from bridge.core.meter import Meter
from bridge.core.ports import PTIME_MS
from bridge.core.room import Room

LARGEST_BANK = 32
"""Rooms with more slots are halls: what is silent or equal in them is not computed."""
_SAFE_PEAK = 32_700.0
"""A sum below this, whatever the rounding, needs no limiter."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the banks of one rate share: none of it holds a room's state."""

    gate: Gate
    meter: Meter
    edges: Edges
    limiter: Limiter


class Bank(BankRows):
    """Rooms in rows 0…n-1. Flat slot = row * K + index; flat output = row * (K+1) + index.

    A tick: `shift`, then `stage` is filled up to `count` and `stage_slots` says whose it is (`feeds`), then
    `take_in`, `mix`, and `settle` at the end. `out`, `sounds`, `solo` and `solo_sounds` hold until the next.
    """

    def __init__(self, rate_hz: int, capacity: int, stages: Stages, turn: int = 0) -> None:
        """`turn`: the number of the newest tick; all banks are given the same ones."""
        super().__init__(rate_hz, capacity, turn)
        self._stages = stages
        self._ramp = np.arange(1, self.samples + 1, dtype=np.float32) / np.float32(self.samples)
        self._rise = np.minimum(self._ramp * np.float32(PTIME_MS), 1)  # within 1 ms

    def shift(self, turn: int) -> None:
        """Begin tick number `turn`: the newest outputs become the past."""
        self._turn = turn % (HISTORY + 1)
        self.count = 0
        self.solo, self.solo_before = self.solo_before, self.solo
        np.copyto(self.solo_sounded, self.solo_sounds)
        np.copyto(self.sounded, self.sounds)
        np.copyto(self.alike_before, self.alike)
        self.solo_sounds[:] = False

    def take_in(self) -> list[tuple[Room, int, bool, int]]:
        """From `stage` to `live`: fader, level, taps, gate.

        Gives (room, index, talking, ms since it truly was so) where that changed.
        """
        n, m = len(self.rooms), self.count
        x, slots = self.stage[:m], self.stage_slots[:m]
        self._fade(x, slots)
        quarters = x.reshape(m, PARTS, self.samples // PARTS)
        powers = np.vecdot(quarters, quarters) * np.float32(PARTS / self.samples)
        levels = np.zeros(self.meter.power.size, dtype=np.float32)
        levels[slots] = powers.mean(axis=1)
        levels = levels.reshape(self.meter.power.shape)
        self._stages.edges.note(self.edges, levels)
        changed = self._stages.meter.read(self.meter, levels)
        self._tap(x, slots)
        verdict = self._stages.gate.judge(self.gate, slots, powers)
        if verdict.opening.size:
            x[verdict.opening] *= self._rise
        if verdict.closing.size:
            x[verdict.closing] *= 1 - self._ramp
        self._place(x, slots, verdict.passing)
        k = self.capacity
        talking, edges = self.meter.talking.reshape(-1), self._stages.edges
        return [
            (
                self.rooms[flat // k],
                flat % k,
                bool(talking[flat]),
                edges.ago_ms(self.edges, flat, bool(talking[flat])),
            )
            for flat in changed.tolist()
            if flat < n * k
        ]

    def hush(self, row: int, index: int) -> bool:
        """What sounded in a slot was cut: its level is that of silence. Tells whether it was talking."""
        talking = bool(self.meter.talking[row, index])
        for array in (
            self.meter.power,
            self.meter.run,
            self.meter.talking,
            self.edges.quiet,
            self.edges.sound,
        ):
            array[row, index] = 0
        return talking

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
        wanted = np.flatnonzero(self.tapped.reshape(-1)[slots])
        taken = slots[wanted]
        self.solo.reshape(-1, self.samples)[taken] = np.clip(np.rint(x[wanted]), -32_768, 32_767)
        self.solo_sounds.reshape(-1)[taken] = True

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
        self.peak[:] = 0
        self.peak.reshape(-1)[slots] = _peaks(x)

    def add(self, row: int, index: int, frame: NDArray[np.float32]) -> None:
        """Let `frame` [S] sound in a slot as well; between `take_in` and `mix`."""
        self.live[row, index] += frame
        self.active[row, index] = True
        self.peak[row, index] += _peaks(frame)

    def mix(self) -> None:
        """From `live` to `out`: crosspoints, limiter, int16."""
        n = len(self.rooms)
        if not self.active[:n].any() and (self.limit_gain[:n] == 1).all():
            self.quiet += 1
            self.sounds[:n] = False
            self.alike[:n] = True
            self.out[: n * (self.capacity + 1)] = 0
            return
        active = self.active[:n].astype(np.float32)
        np.greater(np.matmul(self.crosspoint[:n], active[:, :, None])[:, :, 0], 0, out=self.sounds[:n])
        for row, old in self.moving:
            self.sounds[row] |= np.matmul(old, active[row]) > 0
        self.quiet += 1
        self.quiet[self.sounds] = 0
        self._compare(n)
        if self.capacity > LARGEST_BANK:
            mix_hall(self, self._stages.limiter, self._ramp)
        else:
            self._mix_all(n)

    def _compare(self, n: int) -> None:
        """Find the outputs that are the program's double: equal gains for all that sounds, equal limiters."""
        gains, active, limit = self.crosspoint[:n], self.active[:n, np.newaxis], self.limit_gain[:n]
        apart = ((gains != gains[:, -1:]) & active).any(axis=2)
        apart |= limit != limit[:, -1:]
        for row, old in self.moving:
            apart[row] |= ((old != old[-1:]) & active[row]).any(axis=1)
        np.logical_not(apart, out=self.alike[:n])

    def _mix_all(self, n: int) -> None:
        """All rooms in one product."""
        mix = self.sum[:n]
        np.matmul(self.crosspoint[:n], self.live[:n], out=mix)
        for row, old in self.moving:
            before = np.matmul(old, self.live[row])
            before -= mix[row]
            before *= 1 - self._ramp
            mix[row] += before
        outputs = mix.reshape(-1, self.samples)
        self._limit_loud(outputs, n)
        np.rint(outputs, out=outputs)
        np.copyto(self.out[: len(outputs)], outputs, casting="unsafe")

    def limit(self, outputs: NDArray[np.float32], gain: NDArray[np.float32]) -> None:
        """The limiter of this bank's rate, for `outputs` [n, S] of anybody; see `Limiter.limit`."""
        self._stages.limiter.limit(outputs, gain)

    def _limit_loud(self, outputs: NDArray[np.float32], n: int) -> None:
        """Limit the sums that could be too loud, judged by the peaks of what they consist of."""
        loudest = np.matmul(self.crosspoint[:n], self.peak[:n, :, None])[:, :, 0]
        for row, _ in self.moving:
            loudest[row] = np.inf
        gain = self.limit_gain[:n].reshape(-1)
        risky = np.flatnonzero((loudest.reshape(-1) > _SAFE_PEAK) | (gain < 1))
        if risky.size:
            sums, gains = outputs[risky], gain[risky]
            self._stages.limiter.limit(sums, gains)
            outputs[risky], gain[risky] = sums, gains

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


def _peaks(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest magnitude [...] in rows [..., S]."""
    return np.asarray(np.maximum(x.max(axis=-1), -x.min(axis=-1)), dtype=np.float32)
