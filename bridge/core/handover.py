"""A room that goes over to a higher rate: its outlets are cross-faded from the old sound to the new.

Resampling delays sound by a few ms, so the new sound lags behind what was heard until now. For one tick the
room is mixed at the old rate too; its new outputs begin with that and are given a past at the new rate (for
encoders to be warmed up with), and each raw outlet goes over from its old way to the new.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.pools import Pools
from bridge.core.room import Place, Room
from mediacodecs.resample import resampler


@dataclass(frozen=True, slots=True)
class OldSound:
    """One tick of a room at its old rate, float32 at int16 scale."""

    rate_hz: int
    mixes: NDArray[np.float32]
    """[k+1, 2S]: what its slots hear, and at last the program; the tick before and this one."""
    solos: NDArray[np.float32]
    """[k, 2S]: its slots alone."""


class Handover:
    """What a room was like before it moved."""

    def __init__(self, room: Room, bank: Bank, row: int) -> None:
        """To be made while the room still is in `row` of its old bank."""
        self.room = room
        self.rate_hz = bank.rate_hz
        self._bank = bank
        self._crosspoint = bank.crosspoint[row].copy()
        self._limit_gain = bank.limit_gain[row].copy()
        self._fader = bank.fader_before[row].copy()
        self._solo_past = bank.solo[row] * bank.solo_sounds[row][:, np.newaxis]
        self._past = bank.ring[bank.order(), row]  # [frames, k+1, S], copied

    def sound(self, pools: Pools) -> OldSound:
        """Mix this tick's sound once more and splice it in; call after the new bank's `mix`, once."""
        capacity, samples = self._bank.capacity, self._bank.samples
        solos = np.zeros((capacity, samples), dtype=np.float32)
        passing = np.zeros(capacity, dtype=np.bool_)
        place = self.room.place
        assert place is not None
        ramp = np.arange(1, samples + 1, dtype=np.float32) / np.float32(samples)
        for slot in self.room.slots.values():
            source, index = slot.input, slot.index
            if source is None or index >= capacity or not source.pool.sounding[source.row]:
                continue
            before = self._fader[index]
            gain = before + (self.room.faders[index] - before) * ramp
            solos[index] = pools.feed(source.pool).frame(source.row, self.rate_hz) * gain
            passing[index] = place.bank.active[place.row, index]
        mixes = np.matmul(self._crosspoint, solos * passing[:, np.newaxis])
        self._bank.limit(mixes, self._limit_gain)
        self._splice(place, mixes)
        mixes = np.concatenate((self._past[-1], mixes), axis=1, dtype=np.float32)
        return OldSound(
            self.rate_hz, mixes, np.concatenate((self._solo_past, solos), axis=1, dtype=np.float32)
        )

    def _splice(self, place: Place, mixes: NDArray[np.float32]) -> None:
        """Let the outputs of `place` follow on what was heard, without the resampler's delay."""
        bank, k = place.bank, self._bank.capacity
        change = resampler(self.rate_hz, bank.rate_hz)
        heard = np.concatenate((*self._past.astype(np.float32), mixes), axis=1)
        sound = change.process(heard, change.history(k + 1))[:, round(change.delay_s * bank.rate_hz) :]
        frames = len(self._past)
        past = np.clip(np.rint(sound[:, : frames * bank.samples]), -32_768, 32_767)
        current = sound[:, frames * bank.samples :]  # all but its last ms, which are still in the filter
        new = np.linspace(0, 1, current.shape[1], dtype=np.float32)
        outputs = [*range(k), bank.capacity]
        order = bank.order()
        bank.ring[order[:-1, np.newaxis], place.row, outputs] = past.reshape(k + 1, frames, -1)[
            :, 1:
        ].transpose(1, 0, 2)
        newest = bank.ring[order[-1], place.row]
        after = newest[outputs, : current.shape[1]]
        blended = current + (after - current) * new
        newest[outputs, : current.shape[1]] = np.clip(np.rint(blended), -32_768, 32_767)
