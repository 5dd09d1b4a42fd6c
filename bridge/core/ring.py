"""Wire audio of many rows in rings: written one row at a time, read from many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from bridge.core.ports import AudioFormat, Encoding
from bridge.core.table import FIRST_CAPACITY, Table
from mediacodecs.g711 import ULAW_SILENCE, ulaw_decode

Wire = NDArray[np.integer[Any]]


class WireRing(Table):
    """One ring a row, in wire samples (int16 for L16, uint8 for µ-law).

    `head` and `tail` [capacity] count samples since the row was cleared and never wrap: `head - tail` is what
    is held. Up to `reach` samples before the tail stay readable, and no read may be longer than `reach`.
    """

    def __init__(self, audio_format: AudioFormat, limit: int, reach: int) -> None:
        """`limit`: samples a row holds. Raises ValueError for Opus."""
        super().__init__()
        self.limit = limit
        self.reach = reach
        self._width = audio_format.sample_bytes
        self._ulaw = audio_format.encoding is Encoding.ULAW
        self._size = limit + reach
        self._stride = self._size + reach
        self.head = self._column("head", np.int64)
        self.tail = self._column("tail", np.int64)
        # [capacity, size + reach]: the first `reach` samples stand behind the last one again, so that every
        # read is one piece.
        wire: np.dtype[np.integer[Any]] = np.dtype("u1" if self._ulaw else "<i2")
        silence = ULAW_SILENCE if self._ulaw else 0
        self._samples: Wire = self._column("_samples", wire, silence, width=(self._stride,))
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows; what is in the others stays."""
        super().grow(capacity)
        # Plain Python numbers come and go through these at a third of the cost of indexing arrays.
        self.head_cells = self.head.data
        self.tail_cells = self.tail.data
        self._cells = self._samples.reshape(-1).view(np.uint8).data
        self._windows: dict[int, Wire] = {}

    def write(self, row: int, payload: bytes | bytearray | memoryview, count: int) -> int:
        """Append the first `count` samples of `payload`; gives how many of the oldest had to go."""
        width, size = self._width, self._size
        head = self.head_cells[row]
        pushed_out = head + count - self.tail_cells[row] - self.limit
        if count > size:
            payload = payload[(count - size) * width : count * width]
            head += count - size
            count = size
        at = head % size
        begin = row * self._stride * width
        first = min(count, size - at)
        start = begin + at * width
        self._cells[start : start + first * width] = payload[: first * width]
        if first < count:
            self._cells[begin : begin + (count - first) * width] = payload[first * width : count * width]
        if at < self.reach or first < count:
            end = begin + size * width
            self._cells[end : end + self.reach * width] = self._cells[begin : begin + self.reach * width]
        self.head_cells[row] = head + count
        if pushed_out > 0:
            self.tail_cells[row] += pushed_out
            return pushed_out
        return 0

    def read(self, rows: NDArray[np.intp], start: NDArray[np.int64], count: int) -> Wire:
        """A copy [len(rows), count] of the wire samples that begin at `start` [len(rows)]."""
        windows = self._windows.get(count)
        if windows is None:
            flat = self._samples.reshape(-1)
            shape, step = (flat.size - count + 1, count), flat.itemsize
            windows = self._windows[count] = as_strided(flat, shape, (step, step), writeable=False)
        taken: Wire = windows[rows * self._stride + start % self._size]
        return taken

    def linear(self, wire: Wire) -> NDArray[np.float32]:
        """Wire samples of any shape as float32 at int16 scale."""
        if wire.dtype == np.uint8:
            return ulaw_decode(wire.view(np.uint8))
        return wire.astype(np.float32)

    def sound(self, row: int, start: int, count: int) -> NDArray[np.float32]:
        """One row's samples [count] from `start` on, at int16 scale."""
        at = start % self._size
        return self.linear(self._samples[row, at : at + count])
