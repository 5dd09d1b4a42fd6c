"""Live inputs of Opus packets: an adaptive playout buffer a row, decoded when it is played.

Numbers and timestamps tell what is lost, late or was never sent. Rows in good order are taken as whole
arrays; only decoding goes row by row, and only for those that sound and that somebody hears.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.opus_player import TICK, OpusPlayer
from bridge.core.opus_rows import OpusRows
from bridge.core.packet_ring import MAX_PACKET_BYTES
from bridge.core.pool import PlayoutSettings, Rows
from bridge.core.ports import TICK_S, InputLook
from bridge.core.table import FIRST_CAPACITY, Table
from bridge.core.voice import Voice
from mediacodecs.opus import RATES_HZ, packet_samples

_SILENT_PEAK = 8.0


class OpusPool(Table):
    """All live inputs of Opus, decoded at `rate_hz`. Shapes as in `Pool`."""

    def __init__(self, rate_hz: int, settings: PlayoutSettings) -> None:
        """Raises ValueError for a rate that Opus has not."""
        if rate_hz not in RATES_HZ:
            raise ValueError(f"Opus has no rate of {rate_hz} Hz")
        super().__init__()
        self.rate_hz = rate_hz
        self._settings = settings
        self._state = OpusRows(rate_hz, settings)
        self._player = OpusPlayer(self._state)
        self._rows = Rows()
        self.block = self._column("block", np.float32, width=(rate_hz // 50,))
        self.sounding = self._column("sounding", np.bool_)
        self.wanted = self._column("wanted", np.bool_, True)
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self._state.grow(capacity)
        self._frames = list(self.block)
        self._first_slots = np.arange(capacity) * self._state.ring.depth

    def open(self) -> int:
        """A row for a new input. Raises OpusUnavailable without the library."""
        voice = Voice(self.rate_hz)
        row = self._rows.open()
        if row >= len(self.block):
            self.grow(2 * len(self.block))
        self.reset(row)
        self._state.open(row, voice)
        return row

    def close(self, row: int) -> None:
        """Give the row back; it is silent at once. Raises KeyError when it is not open."""
        self._rows.close(row)
        self.reset(row)
        self._state.close(row)

    def push(self, row: int, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        """Keep one RTP payload until it is due; what is late, doubled or corrupt is dropped and counted."""
        duration = packet_samples(payload)
        if not duration or len(payload) > MAX_PACKET_BYTES:
            self._state.dropped[row] += 1
            return
        number, stamp = sequence_number & 0xFFFF, timestamp & 0xFFFF_FFFF
        self._state.push(row, bytes(payload), number, stamp, duration, now)

    def take(self, now: float) -> None:
        """The next 20 ms of every row."""
        top = self._rows.top
        if not top:
            return
        state, ring = self._state, self._state.ring
        state.edge = now + TICK_S - self._settings.margin_ms / 1000
        state.start(top, now)
        state.fold(top)
        playing, wanted, silent = state.playing[:top], self.wanted[:top], state.silent[:top]
        due, position = state.due[:top], state.position[:top]
        corrected = self._correct(top)
        at = self._first_slots[:top] + due % ring.depth
        orderly = playing & state.steady[:top] & (ring.serials.reshape(-1)[at] == due)
        orderly &= (ring.stamps.reshape(-1)[at] == position) & (ring.durations.reshape(-1)[at] == TICK)
        orderly[corrected] = False
        hush = ring.hush.reshape(-1)[at]
        still = orderly & hush & silent
        unheard = orderly & ~wanted & ~still
        heard = orderly & wanted & ~still & ~state.stale[:top]
        idle = playing & silent & (ring.newest[:top] < due) & (state.fill[:top] == 0)
        idle[corrected] = False
        passed = still | unheard | heard
        slow = playing & ~passed & ~idle
        slow[corrected] = False
        decoding, slow_rows = heard.nonzero()[0], slow.nonzero()[0]
        payloads = [
            ring.payloads[row][slot]
            for row, slot in zip(decoding.tolist(), (due[decoding] % ring.depth).tolist(), strict=True)
        ]
        due += passed
        position += passed * np.int64(TICK)
        state.stale[:top] |= unheard
        silent &= hush | ~unheard
        for row, payload in zip(decoding.tolist(), payloads, strict=True):
            self._player.decode(row, payload, self._frames[row])
        hushed = [
            row for row in slow_rows.tolist() if self._player.play(row, bool(wanted[row]), self._frames[row])
        ]
        self._player.idle(idle.nonzero()[0])
        was_silent = silent[decoding]
        made = np.concatenate((decoding, slow_rows, np.array(corrected, dtype=np.intp)))
        made = made[wanted[made]]
        self._finish(top, made)
        silent[hushed] = True
        for index in (was_silent & silent[decoding]).nonzero()[0].tolist():
            state.voice(int(decoding[index])).remember_hush(payloads[index])

    def _correct(self, top: int) -> list[int]:
        """Shorten or lengthen what a few rows hold; gives the rows whose frame is thereby made."""
        state = self._state
        if not state.arrivals.planning:
            return []
        able = state.playing[:top] & (state.owed[:top] == 0)
        quiet = state.quiet[:top] | ~self.wanted[:top]
        plan = state.arrivals.plan(able, quiet, state.depths_ms(top))
        for row, wish_ms in plan:
            calm, wanted = bool(quiet[row]), bool(self.wanted[row])
            by_ms = self._player.correct(row, wish_ms, calm, wanted, self._frames[row])
            state.arrivals.corrected(row, by_ms, wish_ms, calm)
            state.corrected[row] += by_ms != 0
        return [row for row, _ in plan]

    def _finish(self, top: int, made: NDArray[np.intp]) -> None:
        """Say which of the rows whose frame was `made` sound, and silence all others."""
        peak = np.zeros(top, dtype=np.float32)
        if made.size:
            peak[made] = np.abs(self.block[made]).max(axis=1)
        sounds = peak > _SILENT_PEAK
        hush = self.sounding[:top] & ~sounds
        hush[made] |= ~sounds[made]
        self.block[hush.nonzero()[0]] = 0.0
        self.sounding[:top] = sounds
        self._state.silent[made] = ~sounds[made]
        np.less_equal(peak, self._settings.quiet_peak, out=self._state.quiet[:top])

    def look(self, row: int) -> InputLook:
        """Counters and depths of the row."""
        state = self._state
        depth_ms = state.depth_ms(row)
        return InputLook(
            depth_ms=depth_ms,
            target_ms=max(depth_ms - max(state.arrivals.surplus_ms(row), 0.0), 0.0),
            jitter_ms=float(state.arrivals.jitter_ms[row]),
            frames_in=int(state.frames_in[row]),
            concealed=int(state.concealed[row]),
            recovered=int(state.recovered[row]),
            dropped=int(state.dropped[row]),
            lost=int(state.lost[row]),
            corrected=int(state.corrected[row]),
        )
