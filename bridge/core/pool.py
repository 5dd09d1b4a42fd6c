"""What the mixer knows of a pool of inputs, which rows of one are open, and what can be chosen about them.

A pool holds all inputs of one kind and wire format, one row each, as arrays. Pools know rows only; what a row
is connected to is the mixer's business.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import InputLook


class Pool(Protocol):
    """All inputs of one kind and wire format.

    The arrays may be made anew when a row is opened: read the attributes again each tick.
    """

    rate_hz: int
    """Rate of `block`."""
    block: NDArray[np.float32]
    """[capacity, rate_hz // 50] at int16 scale, good from one `take` to the next; silent rows are zeros."""
    sounding: NDArray[np.bool_]
    """[capacity] False: the row in `block` is silence."""
    wanted: NDArray[np.bool_]
    """[capacity] Written by the mixer. False: nobody hears the row, so its time runs on without its sound."""

    def open(self) -> int:
        """A row for a new input, all counters at zero."""

    def close(self, row: int) -> None:
        """Give the row back, and forget what is in it."""

    def take(self, now: float) -> None:
        """The next 20 ms of every row. `now` in seconds, monotonic, as everywhere."""

    def look(self, row: int) -> InputLook:
        """What can be seen of the row."""


@dataclass(frozen=True, slots=True)
class PlayoutSettings:
    """How live inputs are buffered. Making one raises ValueError for what cannot work."""

    margin_ms: float = 3.0
    """Audio should be there this long before the tick that needs it."""
    max_depth_ms: float = 200.0
    """However much the network jitters, no more than this is held back on purpose."""
    ring_ms: int = 1_000
    """What fits into a row; when more comes, the oldest goes."""
    ring_packets: int = 64
    """The same for packets."""
    corrections_per_tick: int = 8
    """Rows, in one pool, that may be lengthened or shortened within a tick."""
    patience_ms: float = 40.0
    """A scrap shorter than a frame is played all the same when no more has come for so long."""
    quiet_peak: float = 150.0
    """Sound that never exceeds this (int16 scale) may be cut or stretched at any place."""

    def __post_init__(self) -> None:
        if not 0 <= self.margin_ms < 20:
            raise ValueError(f"a playout margin of {self.margin_ms} ms is not within a tick")
        if not 20 <= self.max_depth_ms <= self.ring_ms / 2:
            raise ValueError(f"a playout depth of {self.max_depth_ms} ms needs a ring of twice that length")
        if self.ring_packets < 8 or self.corrections_per_tick < 1:
            raise ValueError("a playout buffer needs room for 8 packets and one correction in a tick")


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How play queues hold audio. Making one raises ValueError for what cannot work."""

    limit_s: float = 120.0
    """Audio a queue takes at most; what exceeds it is refused. Memory is used only for what is queued."""
    max_marks: int = 1_000
    """Marks that may be pending in a queue; more are refused."""
    least_prefill_ms: float = 20.0
    most_prefill_ms: float = 60.0
    """A queue that ran dry waits for so much: the more, the more often that happened in mid-sentence."""
    fade_ms: float = 5.0
    """Length of the fade when a queue is cleared while it plays."""
    underrun_s: float = 0.2
    """More audio within this time of running dry, without a mark in between: it ran dry in mid-sentence."""

    def __post_init__(self) -> None:
        if self.limit_s < 0.1 or self.max_marks < 1:
            raise ValueError("a play queue needs room for 100 ms and one mark")
        if not 0 < self.least_prefill_ms <= self.most_prefill_ms <= 200:
            raise ValueError("a play queue's prefill must be positive, the least first, at most 200 ms")
        if not 0 <= self.fade_ms <= 20:
            raise ValueError("a play queue fades within one tick")


class Rows:
    """Which rows are open. The lowest free one is given first, so that the open ones lie together."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._open: set[int] = set()
        self.top = 0
        """One more than the highest open row: all others can be left out."""

    def open(self) -> int:
        """A free row; it may lie beyond what the arrays have."""
        row = heapq.heappop(self._free) if self._free else len(self._open)
        self._open.add(row)
        self.top = max(self.top, row + 1)
        return row

    def close(self, row: int) -> None:
        """Give a row back; raises KeyError when it is not open."""
        self._open.remove(row)
        heapq.heappush(self._free, row)
        if row + 1 == self.top:
            self.top = max(self._open, default=-1) + 1
