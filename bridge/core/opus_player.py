"""Frames of Opus inputs that are not simply one packet: gaps, odd durations, corrections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.opus_rows import PER_MS, TINY, OpusRows
from bridge.core.ports import OPUS_RATE_HZ, PTIME_MS
from bridge.core.splice import Splicer
from bridge.core.voice import CONCEAL_MS
from mediacodecs.opus import OpusError, packet_has_fec

TICK = OPUS_RATE_HZ // 50
_LONGEST = int(CONCEAL_MS * PER_MS)


class OpusPlayer:
    """Makes one row's frame at a time, float32 at int16 scale, in an array it is given."""

    def __init__(self, rows: OpusRows) -> None:
        self._rows = rows
        self._splicer = Splicer(rows.rate_hz)
        self._frame = rows.rate_hz // 50

    def decode(self, row: int, payload: bytes, frame: NDArray[np.float32]) -> None:
        """A packet of 20 ms straight into the frame; something made up when it is corrupt."""
        rows = self._rows
        voice = rows.voice(row)
        try:
            voice.decoder.decode_into(payload, frame)
        except OpusError:
            rows.dropped[row] += 1
            rows.concealed[row] += 1
            voice.conceal(TICK)
            self._emit(row, 0, frame)

    def play(self, row: int, wanted: bool, frame: NDArray[np.float32]) -> bool:
        """Whatever comes next; True when that is the end of all sound, by a packet that says so."""
        rows = self._rows
        voice = rows.voice(row)
        if wanted and rows.stale[row]:
            voice.restart()
            rows.stale[row] = False
        hushed = self._gather(row, self._frame, wanted)
        if voice.fill < self._frame:
            if wanted and not rows.silent[row] and not hushed:
                voice.conceal(TICK)
                rows.concealed[row] += not rows.quiet[row]
            else:
                voice.silence(TICK)
            rows.owed[row] += TICK
        self._emit(row, 0, frame)
        if rows.owed[row] >= _LONGEST:
            rows.rest(row)
        return hushed

    def idle(self, idle: NDArray[np.intp]) -> None:
        """For these rows nothing was there before, and nothing comes now."""
        if not idle.size:
            return
        rows = self._rows
        rows.owed[idle] += TICK
        rows.steady[idle] = False
        for row in idle[rows.owed[idle] >= _LONGEST].tolist():
            rows.rest(row)

    def correct(
        self, row: int, wish_ms: float, quiet: bool, wanted: bool, frame: NDArray[np.float32]
    ) -> float:
        """A frame that leaves out about `wish_ms` (negative: repeats); gives the ms it did, 0 for nothing.

        `frame` must still hold the row's last frame.
        """
        if wanted and self._rows.stale[row]:
            self.play(row, wanted, frame)
            return 0.0
        if wish_ms > self._rows.settings.max_depth_ms:
            return self._cut(row, wish_ms, wanted, frame)
        if self._rows.silent[row] or not wanted:
            return self._skip(row, wish_ms, wanted, frame)
        return self._splice(row, wish_ms, quiet, frame)

    def _splice(self, row: int, wish_ms: float, quiet: bool, frame: NDArray[np.float32]) -> float:
        rows, splicer, n = self._rows, self._splicer, self._frame
        voice = rows.voice(row)
        self._gather(row, n + splicer.longest, True)
        if voice.fill < n:
            self.play(row, True, frame)
            return 0.0
        past = frame[n - splicer.longest :]
        sound = np.concatenate((past, voice.stored(min(voice.fill, n + splicer.longest))))
        wish = int(wish_ms * rows.rate_hz / 1000)
        by = splicer.jump(sound, wish, quiet, rows.arrivals.urgent(wish_ms))
        frame[:] = splicer.cut(sound, by)
        self._emit(row, by, None)
        return by * 1000 / rows.rate_hz

    def _skip(self, row: int, wish_ms: float, wanted: bool, frame: NDArray[np.float32]) -> float:
        """In silence, or where nobody hears it: leave out a packet, or what is stored, or let one wait."""
        rows = self._rows
        voice, due = rows.voice(row), rows.due_cells[row]
        if wish_ms <= -PTIME_MS:
            frame[:] = 0.0
            return -float(PTIME_MS)
        by_ms = 0.0
        if wish_ms > 0 and voice.fill:
            by = min(voice.fill, int(wish_ms * rows.rate_hz / 1000))
            voice.drop(by)
            by_ms = by * 1000 / rows.rate_hz
        elif rows.ring.holds(row, due):
            payload, stamp, duration = rows.ring.packet(row, due)
            if duration <= wish_ms * PER_MS and (not wanted or payload in voice.hushes):
                rows.due[row] = due + 1
                rows.position[row] = stamp + duration
                by_ms = duration / PER_MS
        self.play(row, wanted, frame)
        return by_ms

    def _cut(self, row: int, wish_ms: float, wanted: bool, frame: NDArray[np.float32]) -> float:
        """Far too much is held: leave out whole packets at once."""
        rows, n = self._rows, self._frame
        voice = rows.voice(row)
        self._gather(row, n, wanted)
        if voice.fill < n:
            self.play(row, wanted, frame)
            return 0.0
        here = voice.stored(n).copy()
        out = voice.fill
        voice.drop(voice.fill)
        left = wish_ms * PER_MS - out * rows.ratio
        while rows.ring.holds(row, rows.due_cells[row]):
            _, stamp, duration = rows.ring.packet(row, rows.due_cells[row])
            if duration > left:
                break
            left -= duration
            rows.due[row] += 1
            rows.position[row] = stamp + duration
            rows.dropped[row] += 1
        self.play(row, wanted, frame)
        frame[:] = self._splicer.cross(here, frame)
        return wish_ms - left / PER_MS

    def _emit(self, row: int, by: int, frame: NDArray[np.float32] | None) -> None:
        """A frame's worth of the store is played, and `by` more left out."""
        rows = self._rows
        voice = rows.voice(row)
        if frame is not None:
            frame[:] = voice.stored(self._frame)
        voice.drop(self._frame + by)
        rows.fill[row] = voice.fill
        rows.steady[row] = voice.steady and rows.owed_cells[row] == 0

    def _gather(self, row: int, need: int, wanted: bool) -> bool:
        """Store `need` samples, or what there is; True when the last of it was a packet without content."""
        rows = self._rows
        ring, voice = rows.ring, rows.voice(row)
        hushed = False
        while voice.fill < need:
            due = rows.due_cells[row]
            if not ring.holds(row, due):
                # What is missing may still come, unless it is needed now.
                if ring.newest[row] < due or voice.fill >= self._frame:
                    break
                self._bridge(row, due, wanted)
                continue
            payload, stamp, duration = ring.packet(row, due)
            self._settle(row, stamp)
            pause = stamp - rows.position_cells[row]
            if pause > 0:  # nothing was sent for a while: silence, not loss
                pause = min(pause, TICK)
                voice.silence(pause)
                rows.position_cells[row] += pause
                continue
            hushed = len(payload) <= TINY
            if not wanted:
                voice.silence(duration)
                rows.stale[row] = True
            elif rows.silent[row] and (hushed or payload in voice.hushes):
                voice.silence(duration)
            elif hushed:
                voice.hush(duration)
            elif not voice.decode(payload, duration):
                rows.dropped[row] += 1
                rows.concealed[row] += 1
            rows.due_cells[row] = due + 1
            rows.position_cells[row] = stamp + duration
        return hushed

    def _settle(self, row: int, stamp: int) -> None:
        """What was made up while nothing was there counts as the time up to `stamp`, as far as it goes."""
        rows = self._rows
        owed = rows.owed_cells[row]
        if owed:
            rows.position_cells[row] += max(min(stamp - rows.position_cells[row], owed), 0)
            rows.owed_cells[row] = 0

    def _bridge(self, row: int, due: int, wanted: bool) -> None:
        """Packets from `due` on are missing and later ones are there: fill the time between."""
        rows = self._rows
        ring, voice = rows.ring, rows.voice(row)
        found = ring.next_held(row, due)
        payload, stamp, duration = ring.packet(row, found)
        rows.lost[row] += found - due
        rows.due[row] = found
        copied = packet_has_fec(payload)
        rows.repairable[row] += copied
        # The lost ones cannot have filled more than this; the rest is a pause.
        missing = min((found - due) * duration, _LONGEST + duration) - rows.owed_cells[row]
        self._settle(row, stamp)
        missing = min(missing, stamp - rows.position_cells[row])
        if missing <= 0:
            return
        rows.position_cells[row] += missing
        if not wanted or rows.silent[row]:
            voice.silence(missing)
            return
        again = duration if missing >= duration and copied else 0
        if missing > again:
            voice.conceal(missing - again)
            rows.concealed[row] += max(round((missing - again) / TICK), 1)
        if again and voice.recover(payload, again):
            rows.recovered[row] += 1
        elif again:
            rows.concealed[row] += 1
