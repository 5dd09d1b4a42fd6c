"""How regularly audio comes, row by row, and how deep the playout buffers should therefore be.

Two figures are kept of every arrival. How late it is, against the earliest of the last seconds: that is the
jitter. And how much audio was still to be played before its turn came (the *spare*): if all arrivals of the
last seconds found 30 ms to spare, 30 ms can be taken out without harm; if one found less than nothing, the
buffer is too short.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from bridge.core.pool import PlayoutSettings
from bridge.core.ports import PTIME_MS
from bridge.core.table import FIRST_CAPACITY, Table, grown

_WINDOWS = 4
_WINDOW_FOLDS = 25
"""Together the last three to four seconds, of two ticks a fold."""
_ATTACK, _RELEASE = 0.4, 0.006
"""The jitter follows late arrivals at once and forgets them within seconds: some 95 % are less late."""
_STALL_S = 1.0
_RESERVE = 0.1
"""Share of the jitter that is left in the buffer though nothing has needed it lately."""
_KNOWN_FOLDS = 25
_QUIET_MS, _LOUD_MS, _LOUD_SHARE = 1.0, 5.0, 0.15
"""Surplus that is worth a correction: in silence; in sound, at least, and as a share of the jitter."""
_URGENT_MS = 60.0
_REST_TICKS, _URGENT_REST_TICKS = 10, 3


class Arrivals(Table):
    """What is known of each row's arrivals. All arrays are [capacity] or [windows, capacity]."""

    def __init__(self, settings: PlayoutSettings) -> None:
        super().__init__()
        self._settings = settings
        self._tick = 0
        self.jitter_ms = self._column("jitter_ms", np.float64)
        self.reserve_ms = self._column("reserve_ms", np.float64)
        """What the row should hold beyond its jitter, for a purpose of its owner's."""
        self._earliest = np.zeros((_WINDOWS, 0))  # least delay in each window, s
        self._spare = np.zeros((_WINDOWS, 0))  # least spare in each window, ms
        self._new_earliest = self._column("_new_earliest", np.float64, np.inf)
        self._new_latest = self._column("_new_latest", np.float64, -np.inf)
        self._new_spare = self._column("_new_spare", np.float64, np.inf)
        self._known = self._column("_known", np.int64)  # folds with arrivals since the row began to play
        self._rests_until = self._column("_rests_until", np.int64)
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self._earliest = grown(self._earliest.T, capacity, np.inf).T.copy()
        self._spare = grown(self._spare.T, capacity, np.inf).T.copy()
        self._earliest_cells = cast("memoryview[float]", self._new_earliest.data)
        self._latest_cells = cast("memoryview[float]", self._new_latest.data)
        self._spare_cells = cast("memoryview[float]", self._new_spare.data)

    @property
    def phase(self) -> int:
        """Ticks since the first of all windows began; what begins in the same phase goes the same way."""
        return self._tick % (2 * _WINDOWS * _WINDOW_FOLDS)

    def reset(self, row: int) -> None:
        """Forget everything about the row."""
        super().reset(row)
        self._earliest[:, row] = self._spare[:, row] = np.inf

    def restart(self, row: int) -> None:
        """The row's media clock begins anew; what is known of its jitter stays."""
        self._earliest[:, row] = np.inf
        self._new_earliest[row] = np.inf
        self._new_latest[row] = -np.inf

    def begin(self, rows: NDArray[np.intp]) -> None:
        """The rows begin to play: what was to spare before says nothing any more."""
        self._spare[:, rows] = np.inf
        self._new_spare[rows] = np.inf
        self._known[rows] = 0
        self._rests_until[rows] = 0

    def came(self, row: int, delay_s: float, spare_ms: float) -> None:
        """Audio came: `delay_s` is now minus its media time, `spare_ms` as above (inf: not playing)."""
        if delay_s > self._latest_cells[row]:
            self._latest_cells[row] = delay_s
        if delay_s < self._earliest_cells[row]:
            self._earliest_cells[row] = delay_s
        if spare_ms < self._spare_cells[row]:
            self._spare_cells[row] = spare_ms

    def stalled(self, row: int, delay_s: float) -> bool:
        """Whether `delay_s` is so long after the last earliest that the media clock must have stood still."""
        return delay_s - float(self._earliest[:, row].min()) > _STALL_S

    def wait_s(self, row: int, delay_s: float) -> float:
        """How long to keep audio that came with `delay_s`, so that what comes later is in time as well."""
        ahead_ms = (delay_s - float(self._earliest[:, row].min())) * 1000
        wait_ms = min(float(self.jitter_ms[row]), self._settings.max_depth_ms) - max(ahead_ms, 0.0)
        return max(wait_ms, 0.0) / 1000

    def fold(self, top: int) -> None:
        """Once a tick: take what came into the figures of rows below `top`, every second time."""
        self._tick += 1
        if not self.planning:
            return
        window, turn = divmod(self._tick // 2, _WINDOW_FOLDS)
        window %= _WINDOWS
        if turn == 0:
            self._earliest[window] = np.inf
            self._spare[window] = np.inf
        earliest, latest = self._new_earliest[:top], self._new_latest[:top]
        fresh = (latest > -np.inf).nonzero()[0]
        if not fresh.size:
            return
        np.minimum(self._earliest[window, :top], earliest, out=self._earliest[window, :top])
        np.minimum(self._spare[window, :top], self._new_spare[:top], out=self._spare[window, :top])
        late = (latest[fresh] - self._earliest[:, fresh].min(axis=0)) * 1000
        step = np.minimum(late, self._settings.max_depth_ms) - self.jitter_ms[fresh]
        self.jitter_ms[fresh] += np.where(step > 0, _ATTACK, _RELEASE) * step
        self._known[fresh] += 1
        earliest.fill(np.inf)
        latest.fill(-np.inf)
        self._new_spare[:top].fill(np.inf)

    @property
    def planning(self) -> bool:
        """Whether in this tick corrections are to be planned at all: every second one, to save time."""
        return self._tick % 2 == 0

    def surplus_ms(self, row: int) -> float:
        """What could be taken out of the row's buffer; negative: what is missing; 0 when not known yet."""
        least = float(self._spare[:, row].min())
        return least - float(self.reserve_ms[row]) if least < np.inf else 0.0

    def plan(
        self, able: NDArray[np.bool_], quiet: NDArray[np.bool_], depth_ms: NDArray[np.float64]
    ) -> list[tuple[int, float]]:
        """The rows to be corrected in this tick, and by how many ms: positive takes out, negative puts in.

        `able` [top]: rows that could be; `quiet` [top]: those where nobody would hear it.
        """
        top = len(able)
        spare = self._spare[:, :top].min(axis=0) - self.reserve_ms[:top]
        jitter = self.jitter_ms[:top]
        surplus = spare - _RESERVE * jitter
        enough = np.where(quiet, _QUIET_MS, np.maximum(_LOUD_MS, _LOUD_SHARE * jitter))
        too_deep = (surplus >= enough) & (self._known[:top] >= _KNOWN_FOLDS) & (spare < np.inf)
        too_short = (spare < 0) & (depth_ms < self._settings.max_depth_ms)
        due = ((too_deep | too_short) & able & (self._rests_until[:top] <= self._tick)).nonzero()[0]
        if not due.size:
            return []
        wish = np.where(too_deep[due], surplus[due], spare[due])
        if due.size > self._settings.corrections_per_tick:
            first = np.argsort(-np.abs(wish))[: self._settings.corrections_per_tick]
            due, wish = due[first], wish[first]
        return list(zip(due.tolist(), wish.tolist(), strict=True))

    def corrected(self, row: int, by_ms: float, wish_ms: float, quiet: bool) -> None:
        """The row's buffer was shortened `by_ms` (negative: lengthened; 0: it could not be, try later)."""
        self._spare[:, row] -= by_ms
        self._new_spare[row] -= by_ms
        urgent = wish_ms > _URGENT_MS or wish_ms < -PTIME_MS - 0.5
        rest = 1 if quiet and by_ms else _URGENT_REST_TICKS if urgent else _REST_TICKS
        self._rests_until[row] = self._tick + rest

    @staticmethod
    def urgent(wish_ms: float) -> bool:
        """Whether to take any place for a correction rather than wait for a good one."""
        return wish_ms > _URGENT_MS or wish_ms < 0
