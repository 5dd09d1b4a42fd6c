"""What is kept of every Opus input, and what an arriving packet does to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.jitter import Arrivals
from bridge.core.packet_ring import Arrival, PacketRing
from bridge.core.pool import PlayoutSettings
from bridge.core.ports import OPUS_RATE_HZ, PTIME_MS
from bridge.core.table import FIRST_CAPACITY, Table
from bridge.core.voice import Voice

PER_MS = OPUS_RATE_HZ / 1000
TINY = 2
"""Packets of so few bytes say only that there is nothing to say (libopus' discontinuous transmission)."""
_FORGETS = 0.998
"""A tick; what happened ten seconds ago counts a third."""
_MANY = 4.0
"""That is somewhat less than one packet in a hundred."""


class OpusRows(Table):
    """Arrays [capacity]. Serials and stamps as in `PacketRing`; stamps count 48 kHz samples."""

    def __init__(self, rate_hz: int, settings: PlayoutSettings) -> None:
        super().__init__()
        self.settings = settings
        self.rate_hz = rate_hz
        self.ratio = OPUS_RATE_HZ // rate_hz
        self.ring = PacketRing(settings.ring_packets)
        self.arrivals = Arrivals(settings)
        self.edge = np.inf
        """What comes later than this is too close to the next tick."""
        self.voices: list[Voice | None] = []
        self.playing = self._column("playing", np.bool_)
        self.steady = self._column("steady", np.bool_)
        """Nothing is stored, faded or owed: a packet of 20 ms makes a frame."""
        self.silent = self._column("silent", np.bool_)
        """What was decoded last was silence."""
        self.quiet = self._column("quiet", np.bool_, True)
        """Nobody would hear if a little of it were missing."""
        self.stale = self._column("stale", np.bool_)
        """Packets have gone by undecoded."""
        self.fresh = self._column("fresh", np.bool_, True)
        """Nothing of the stream has been played yet."""
        self.due = self._column("due", np.int64)
        """Serial to be played next."""
        self.position = self._column("position", np.int64)
        """Stamp to be played next, or stored next."""
        self.owed = self._column("owed", np.int64)
        """Time made up without moving the position, in 48 kHz samples."""
        self.fill = self._column("fill", np.int64)
        """Samples stored, at `rate_hz`."""
        self.repairable = self._column("repairable", np.float64)
        """Packets lost lately whose followers carry a copy of them."""
        self.starts_at = self._column("starts_at", np.float64, np.inf)
        """When a row that waits begins to play; inf: nothing waits."""
        self.frames_in = self._column("frames_in", np.int64)
        self.concealed = self._column("concealed", np.int64)
        self.recovered = self._column("recovered", np.int64)
        self.dropped = self._column("dropped", np.int64)
        self.lost = self._column("lost", np.int64)
        self.corrected = self._column("corrected", np.int64)
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self.voices += [None] * (capacity - len(self.voices))
        # Plain Python numbers come and go through these at a third of the cost of indexing arrays.
        self.playing_cells = self.playing.data
        self.due_cells = self.due.data
        self.position_cells = self.position.data
        self.owed_cells = self.owed.data
        self.fill_cells = self.fill.data
        self.frames_in_cells = self.frames_in.data
        self.ring.grow(capacity)
        self.arrivals.grow(capacity)

    def open(self, row: int, voice: Voice) -> None:
        """Make the row a new input's."""
        self.reset(row)
        self.voices[row] = voice

    def close(self, row: int) -> None:
        """Forget the row."""
        self.reset(row)
        self.voices[row] = None

    def reset(self, row: int) -> None:
        """Make the row as new, but for its decoder."""
        super().reset(row)
        self.ring.reset(row)
        self.arrivals.reset(row)

    def voice(self, row: int) -> Voice:
        """The row's decoder; raises KeyError when the row is not open."""
        voice = self.voices[row]
        if voice is None:
            raise KeyError(f"row {row} is not open")
        return voice

    def push(self, row: int, payload: bytes, number: int, timestamp: int, duration: int, now: float) -> None:
        """Keep a packet until it is due, or count why not."""
        tiny = len(payload) <= TINY
        voice = self.voices[row]
        hush = tiny or (voice is not None and payload in voice.hushes)
        arrival, serial, stamp = self.ring.put(row, payload, number, timestamp, duration, hush, now)
        if arrival is Arrival.RESTARTED:
            self._begin(row, serial)
        elif arrival is not Arrival.KEPT:
            self.dropped[row] += 1
            return
        self.frames_in_cells[row] += 1
        delay_s = now - stamp / OPUS_RATE_HZ
        if not self.playing_cells[row]:
            self._await(row, serial, tiny, delay_s, now)
            return
        due, position = self.due_cells[row], self.position_cells[row]
        if serial < due:
            self.dropped[row] += 1
            late_ms = (stamp - position) / PER_MS
            if late_ms > -self.settings.max_depth_ms:
                self.arrivals.came(row, delay_s, late_ms)
            return
        ahead = stamp - position - self.owed_cells[row]
        ahead = (ahead if ahead > 0 else 0) + self.fill_cells[row] * self.ratio
        spare_ms = ahead / PER_MS
        self.arrivals.came(row, delay_s, spare_ms if now <= self.edge else spare_ms - PTIME_MS)
        if serial - due >= self.ring.depth:
            self._leap(row, serial - self.ring.depth + 1)

    def _begin(self, row: int, serial: int) -> None:
        """A stream begins."""
        if not self.fresh[row]:
            self.rest(row)
        self.due[row] = serial
        self.fresh[row] = True
        self.starts_at[row] = np.inf
        self.arrivals.restart(row)

    def rest(self, row: int) -> None:
        """The row has nothing to play for the time being."""
        voice = self.voice(row)
        voice.restart()
        voice.fill = 0
        self.fill[row] = self.owed[row] = 0
        self.playing[row] = self.steady[row] = self.stale[row] = False

    def _await(self, row: int, serial: int, tiny: bool, delay_s: float, now: float) -> None:
        """A packet came for a row that does not play: say when it will."""
        due, waits = self.due_cells[row], bool(self.starts_at[row] < np.inf)
        if serial < due and not self.fresh[row]:
            self.dropped[row] += 1
            return
        if tiny and not waits:
            self.lost[row] += max(serial - due, 0)
            self.due[row] = max(serial + 1, due)
            return
        if self.fresh[row]:
            self.due[row] = min(serial, due)
        if not waits:
            if self.arrivals.stalled(row, delay_s):
                self.arrivals.restart(row)
            wait_s = self.arrivals.wait_s(row, delay_s)
            self.starts_at[row] = now + wait_s + self.settings.margin_ms / 1000
        self.arrivals.came(row, delay_s, np.inf)

    def _leap(self, row: int, serial: int) -> None:
        """The ring is full: go on with the first packet from `serial` on."""
        due = self.ring.next_held(row, serial)
        self.dropped[row] += due - self.due_cells[row]
        self.due[row] = due
        self.position[row] = self.ring.packet(row, due)[1]
        self.owed[row] = 0
        self.voice(row).restart()
        self.steady[row] = False

    def start(self, top: int, now: float) -> None:
        """Let rows below `top` play whose time has come."""
        due = (self.starts_at[:top] <= now).nonzero()[0]
        patience_s = self.settings.patience_ms / 1000
        for row in due.tolist():
            if self.depth_ms(row) >= PTIME_MS or self.starts_at[row] + patience_s <= now:
                self._start(row)

    def _start(self, row: int) -> None:
        self.starts_at[row] = np.inf
        self.arrivals.begin(np.array([row]))
        ring = self.ring
        due = ring.next_held(row, self.due_cells[row])
        self.lost[row] += due - self.due_cells[row]
        _, stamp, duration = ring.packet(row, due)
        # After a stall everything comes at once: only what may be held back on purpose is worth playing.
        keep, end = self.settings.max_depth_ms * PER_MS + duration, ring.end_stamp(row)
        while end - stamp > keep and due < ring.newest[row]:
            due = ring.next_held(row, due + 1)
            stamp = ring.packet(row, due)[1]
            self.dropped[row] += 1
        self.due[row], self.position[row] = due, stamp
        self.playing[row] = True
        self.fresh[row] = self.steady[row] = False

    def fold(self, top: int) -> None:
        """Once a tick: take into account what came since the last one."""
        self.arrivals.fold(top)
        repairable, reserve_ms = self.repairable[:top], self.arrivals.reserve_ms[:top]
        repairable *= _FORGETS
        # A copy can only be used when the packet that carries it is there before it is needed.
        reserve_ms[repairable > _MANY] = PTIME_MS
        reserve_ms[repairable < _MANY / 2] = 0.0

    def depth_ms(self, row: int) -> float:
        """Audio that is there and not yet played."""
        ring, due = self.ring, self.due_cells[row]
        if self.playing[row]:
            held = (ring.end_stamp(row) - self.position_cells[row]) / PER_MS
            return max(held, 0.0) + float(self.fill[row]) * 1000 / self.rate_hz
        first = ring.next_held(row, due)
        if self.starts_at[row] == np.inf or not ring.holds(row, first):
            return 0.0
        return (ring.end_stamp(row) - ring.packet(row, first)[1]) / PER_MS

    def depths_ms(self, top: int) -> NDArray[np.float64]:
        """The same for all rows below `top` [top], roughly, and of meaning only for those that play."""
        held: NDArray[np.float64] = (self.ring.newest_stamp[:top] - self.position[:top]) / PER_MS + PTIME_MS
        return held
