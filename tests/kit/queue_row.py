"""A play queue on a manual clock, and sound that shows each sample's place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.intake import QueuePool, QueueSettings, RowDry, RowEvent
from bridge.core.ports import L16_8K, AudioFormat
from tests.kit.pools import START, wire

FRAME = 160
"""Samples of 20 ms."""
DRY, UNDERRUN = RowDry(underrun=False), RowDry(underrun=True)


class QueueRow:
    """One row of a pool, tick by tick."""

    def __init__(self, audio_format: AudioFormat = L16_8K, **choices: float) -> None:
        self.pool = QueuePool(audio_format, QueueSettings(**choices))  # type: ignore[arg-type]
        self.audio_format = audio_format
        self.row = self.pool.open()
        self.now = START

    def play(self, sound: object) -> int:
        return self.pool.play(self.row, wire(sound, self.audio_format))  # type: ignore[arg-type]

    def mark(self, name: str) -> bool:
        return self.pool.mark(self.row, name)

    def clear(self) -> None:
        self.pool.clear(self.row)

    def tick(self) -> tuple[NDArray[np.float32], list[RowEvent]]:
        self.now += 0.02
        self.pool.take(self.now)
        events = [event for row, event in self.pool.drain() if row == self.row]
        block = self.pool.block[self.row].copy()
        assert bool(self.pool.sounding[self.row]) == bool(block.any())
        return block, events

    def ticks(self, count: int) -> tuple[NDArray[np.float32], list[tuple[int, RowEvent]]]:
        """The sound of several ticks, and their events with the number of the tick (from 0)."""
        blocks, events = [], []
        for number in range(count):
            block, happened = self.tick()
            blocks.append(block)
            events += [(number, event) for event in happened]
        return np.concatenate(blocks), events


def ramp(samples: int, first: int = 1_000) -> NDArray[np.int16]:
    """Each sample is one more than the one before it."""
    return np.arange(first, first + samples, dtype=np.int16)
