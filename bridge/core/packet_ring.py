"""Opus packets of many rows, in rings by sequence number, with numbers and times that do not wrap."""

from __future__ import annotations

from enum import Enum
from typing import cast

import numpy as np

from bridge.core.ports import OPUS_RATE_HZ
from bridge.core.table import FIRST_CAPACITY, Table

MAX_PACKET_BYTES = 4_000
"""What libopus' documentation allows a packet; more than fits into a datagram on its way."""
_MAX_DROPOUT = 3_000
_MAX_MISORDER = 100
"""RFC 3550 A.1: a number this far ahead or behind is not of the same stream."""
_CLOCK_JUMP_S = 2.0
"""A timestamp that is so much further on than the time that has passed is not of the same clock."""


class Arrival(Enum):
    """What became of a packet."""

    KEPT = "kept"
    DOUBLED = "doubled"
    STRANGE = "strange"
    """It belongs to no stream that is known; if another one follows it, that begins a new stream."""
    RESTARTED = "restarted"
    """Kept, as the first one of a new stream; all before it are gone."""


class PacketRing(Table):
    """One ring of `depth` packets a row. Numbers ("serials") and stamps (48 kHz) only ever rise.

    Arrays [capacity]; per packet [capacity, depth], at `serial % depth`: good where `serials` says so.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.newest = self._column("newest", np.int64, -1)
        """Highest serial; -1 before the first packet."""
        self.newest_stamp = self._column("newest_stamp", np.int64)
        self._newest_at = self._column("_newest_at", np.float64)
        self._expected = self._column("_expected", np.int64, -1)  # number that would confirm a strange one
        self.serials = self._column("serials", np.int64, -1, width=(depth,))
        self.stamps = self._column("stamps", np.int64, width=(depth,))
        self.durations = self._column("durations", np.int64, width=(depth,))
        """In samples at 48 kHz."""
        self.hush = self._column("hush", np.bool_, width=(depth,))
        """It is known to hold silence."""
        # Their bytes were made when they were received and are made anew for nobody.
        self.payloads: list[list[bytes]] = []
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self.payloads += [[b""] * self.depth for _ in range(capacity - len(self.payloads))]
        # Plain Python numbers come and go through these at a third of the cost of indexing arrays.
        self._newest_cells = self.newest.data
        self._newest_stamp_cells = self.newest_stamp.data
        self._newest_at_cells = cast("memoryview[float]", self._newest_at.data)
        self._expected_cells = self._expected.data
        self._serial_cells = self.serials.reshape(-1).data
        self._stamp_cells = self.stamps.reshape(-1).data
        self._duration_cells = self.durations.reshape(-1).data
        self._hush_cells = self.hush.reshape(-1).data

    def reset(self, row: int) -> None:
        """Forget the row's packets and stream."""
        super().reset(row)
        self.payloads[row] = [b""] * self.depth

    def put(
        self, row: int, payload: bytes, number: int, timestamp: int, duration: int, hush: bool, now: float
    ) -> tuple[Arrival, int, int]:
        """Keep a packet; gives what became of it, its serial and its stamp."""
        newest = self._newest_cells[row]
        if newest < 0:
            return self._restart(row, payload, number, timestamp, duration, hush, now)
        step = ((number - newest + 0x8000) & 0xFFFF) - 0x8000
        newest_stamp = self._newest_stamp_cells[row]
        leap = ((timestamp - newest_stamp + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
        if not -_MAX_MISORDER <= step <= _MAX_DROPOUT:
            if number != self._expected_cells[row]:
                self._expected_cells[row] = (number + 1) & 0xFFFF
                return Arrival.STRANGE, 0, 0
            return self._restart(row, payload, number, timestamp, duration, hush, now)
        if step > 0:
            passed_s = now - self._newest_at_cells[row]
            if leap < 0 or leap / OPUS_RATE_HZ > passed_s + _CLOCK_JUMP_S:
                return self._restart(row, payload, number, timestamp, duration, hush, now)
        elif leap > 0:
            return Arrival.STRANGE, 0, 0
        serial, stamp = newest + step, newest_stamp + leap
        if self._serial_cells[row * self.depth + serial % self.depth] == serial:
            return Arrival.DOUBLED, serial, stamp
        if step > 0:
            self._begin(row, serial, stamp, now)
        elif step <= -self.depth:
            return Arrival.STRANGE, serial, stamp  # its place is another's: too late in any case
        self._keep(row, payload, serial, stamp, duration, hush)
        return Arrival.KEPT, serial, stamp

    def _restart(
        self, row: int, payload: bytes, number: int, timestamp: int, duration: int, hush: bool, now: float
    ) -> tuple[Arrival, int, int]:
        self.serials[row] = -1  # nothing of the old stream can be taken for new
        serial = number + 65_536  # so that there is room for those before it
        self._begin(row, serial, timestamp, now)
        self._keep(row, payload, serial, timestamp, duration, hush)
        return Arrival.RESTARTED, serial, timestamp

    def _begin(self, row: int, serial: int, stamp: int, now: float) -> None:
        self._newest_cells[row] = serial
        self._newest_stamp_cells[row] = stamp
        self._newest_at_cells[row] = now
        self._expected_cells[row] = -1

    def _keep(self, row: int, payload: bytes, serial: int, stamp: int, duration: int, hush: bool) -> None:
        slot = serial % self.depth
        at = row * self.depth + slot
        self._serial_cells[at] = serial
        self._stamp_cells[at] = stamp
        self._duration_cells[at] = duration
        self._hush_cells[at] = hush
        self.payloads[row][slot] = payload

    def holds(self, row: int, serial: int) -> bool:
        """Whether the packet is there."""
        return self._serial_cells[row * self.depth + serial % self.depth] == serial

    def packet(self, row: int, serial: int) -> tuple[bytes, int, int]:
        """Payload, stamp and duration of a packet that is there."""
        slot = serial % self.depth
        at = row * self.depth + slot
        return self.payloads[row][slot], self._stamp_cells[at], self._duration_cells[at]

    def next_held(self, row: int, serial: int) -> int:
        """The first packet that is there from `serial` on; one beyond the newest if there is none."""
        newest = self._newest_cells[row]
        serial = max(serial, newest - self.depth + 1)
        while serial <= newest and not self.holds(row, serial):
            serial += 1
        return serial

    def end_stamp(self, row: int) -> int:
        """Where the newest packet ends."""
        slot = self._newest_cells[row] % self.depth
        return int(self.newest_stamp[row]) + self._duration_cells[row * self.depth + slot]
