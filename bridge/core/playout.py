"""Live inputs of raw audio: one adaptive playout buffer a row.

Raw audio carries neither time nor number, so that what comes is what there is, in order. A row that runs out
conceals and thereby plays later from then on; what is too much is taken out again, in silence or by a splice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.conceal import Concealer
from bridge.core.jitter import Arrivals
from bridge.core.pool import PlayoutSettings, Rows
from bridge.core.ports import PTIME_MS, TICK_S, AudioFormat, InputLook
from bridge.core.ring import WireRing
from bridge.core.splice import Splicer
from bridge.core.table import FIRST_CAPACITY, Table

_SILENT_PEAK = 8.0
"""The smallest step of µ-law: what never exceeds it is silence."""
_FADE_MS = 5


class PlayoutPool(Table):
    """All live inputs of one raw format. Shapes as in `Pool`; [capacity] for everything kept of a row."""

    def __init__(self, audio_format: AudioFormat, settings: PlayoutSettings) -> None:
        """Raises ValueError for Opus."""
        super().__init__()
        self.rate_hz = audio_format.rate_hz
        self._settings = settings
        self._frame = audio_format.frame_samples
        self._odd_mask = audio_format.sample_bytes - 1
        self._shift = audio_format.sample_bytes // 2
        self._per_ms = audio_format.rate_hz / 1000
        self._splicer = Splicer(audio_format.rate_hz)
        self._concealer = Concealer(audio_format.rate_hz)
        reach = max(self._concealer.history, self._splicer.span)
        self._ring = WireRing(audio_format, audio_format.rate_hz * settings.ring_ms // 1000, reach)
        self._arrivals = Arrivals(settings)
        self._rows = Rows()
        fade = audio_format.rate_hz * _FADE_MS // 1000
        self._fade_in = ((np.arange(fade, dtype=np.float32) + 1) / (fade + 1)).astype(np.float32)
        self._edge = np.inf  # what comes later than this is too close to the next tick
        self.block = self._column("block", np.float32, width=(self._frame,))
        self.sounding = self._column("sounding", np.bool_)
        self.wanted = self._column("wanted", np.bool_, True)
        self._playing = self._column("_playing", np.bool_)
        self._quiet = self._column("_quiet", np.bool_, True)
        self._unheard = self._column("_unheard", np.bool_)  # not wanted in the last tick
        self._starts_at = self._column("_starts_at", np.float64, np.inf)  # inf: nothing waits
        self._largest = self._column("_largest", np.int64)  # samples pushed at once while waiting
        self._gap = self._column("_gap", np.int64)  # samples concealed since the audio ran out
        self._lag = self._column("_lag", np.int64, 1)  # of the sound that is repeated meanwhile
        self._concealed = self._column("_concealed", np.int64)
        self._dropped = self._column("_dropped", np.int64)  # samples
        self._corrected = self._column("_corrected", np.int64)
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self._playing_cells = self._playing.data
        self._ring.grow(capacity)
        self._arrivals.grow(capacity)

    @property
    def phase(self) -> int:
        """Where the windows are, in ticks, over which arrivals are looked at."""
        return self._arrivals.phase

    def open(self) -> int:
        """A row for a new input."""
        row = self._rows.open()
        if row >= len(self.block):
            self.grow(2 * len(self.block))
        self.reset(row)
        self._ring.reset(row)
        self._arrivals.reset(row)
        return row

    def close(self, row: int) -> None:
        """Give the row back; it is silent at once. Raises KeyError when it is not open."""
        self._rows.close(row)
        self.reset(row)

    def push(self, row: int, payload: bytes | memoryview, now: float) -> None:
        """Append wire audio of any length; when the ring is full the oldest goes, and is counted.

        Of an odd number of bytes of 16-bit audio the last one is dropped, counted as a sample.
        """
        if type(payload) is not bytes:
            payload = memoryview(payload).cast("B")
        size = len(payload)
        if size & self._odd_mask:
            self._dropped[row] += 1
            payload = payload[:-1]
        count = size >> self._shift
        if not count:
            return
        ring = self._ring
        head = ring.head_cells[row]
        delay_s = now - head / self.rate_hz
        if self._playing_cells[row]:
            spare_ms = (head - ring.tail_cells[row]) / self._per_ms
            self._arrivals.came(row, delay_s, spare_ms if now <= self._edge else spare_ms - PTIME_MS)
        else:
            self._await(row, count, delay_s, now)
        pushed_out = ring.write(row, payload, count)
        if pushed_out:
            self._dropped[row] += pushed_out

    def _await(self, row: int, count: int, delay_s: float, now: float) -> None:
        """Audio came for a row that does not play: say when it will."""
        arrivals = self._arrivals
        if self._starts_at[row] == np.inf:
            # Whoever was silent may have sent nothing meanwhile: the time since then is not a delay.
            arrivals.restart(row)
            wait_s = arrivals.wait_s(row, delay_s)
            self._starts_at[row] = now + wait_s + self._settings.margin_ms / 1000
        self._largest[row] = max(int(self._largest[row]), count)
        arrivals.came(row, delay_s, np.inf)

    def take(self, now: float) -> None:
        """The next 20 ms of every row."""
        top, n = self._rows.top, self._frame
        if not top:
            return
        ring = self._ring
        self._edge = now + TICK_S - self._settings.margin_ms / 1000
        self._start(top, now)
        self._arrivals.fold(top)
        depth = ring.head[:top] - ring.tail[:top]
        playing, wanted = self._playing[:top], self.wanted[:top]
        in_stock = playing & (depth >= n)
        smooth = in_stock & (self._gap[:top] == 0)
        done = self._correct(smooth, depth)
        rough = (playing & ~smooth).nonzero()[0]
        smooth[done] = False
        filled = np.zeros(top, dtype=np.bool_)
        peak = np.zeros(top, dtype=np.float32)
        heard = (smooth & wanted).nonzero()[0]
        if heard.size:
            wire = ring.read(heard, ring.tail[heard], n)
            if heard.size == top:
                self.block[:top] = ring.linear(wire)
            else:
                self.block[heard] = ring.linear(wire)
            filled[heard] = True
        ring.tail[:top] += smooth * np.int64(n)
        if rough.size:
            self._patch(rough, depth[rough], in_stock[rough], now)
            filled[rough] = True
        filled[done] = True
        touched = filled | self.sounding[:top]
        filled &= wanted
        regained = (filled & self._unheard[:top]).nonzero()[0]
        if regained.size:
            self.block[regained, : len(self._fade_in)] *= self._fade_in
        np.logical_not(wanted, out=self._unheard[:top])
        sound = filled.nonzero()[0]
        if sound.size == top:
            peak[:] = np.abs(self.block[:top]).max(axis=1)
        elif sound.size:
            peak[sound] = np.abs(self.block[sound]).max(axis=1)
        sounds = filled & (peak > _SILENT_PEAK)
        hush = (touched & ~sounds).nonzero()[0]
        if hush.size:
            self.block[hush] = 0.0
        self.sounding[:top] = sounds
        np.less_equal(peak, self._settings.quiet_peak, out=self._quiet[:top])

    def _start(self, top: int, now: float) -> None:
        starts_at = self._starts_at[:top]
        if not (starts_at <= now).any():
            return
        ring, n = self._ring, self._frame
        depth = ring.head[:top] - ring.tail[:top]
        patient_from = now - self._settings.patience_ms / 1000
        rows = np.flatnonzero((starts_at <= now) & ((depth >= n) | (starts_at <= patient_from)))
        # After a stall everything comes at once: only what may be held back on purpose is worth playing.
        keep = self._largest[rows] + int(self._settings.max_depth_ms * self._per_ms)
        stale = np.maximum(depth[rows] - keep, 0)
        ring.tail[rows] += stale
        self._dropped[rows] += stale
        self._playing[rows] = True
        self._starts_at[rows] = np.inf
        self._largest[rows] = 0
        self._gap[rows[depth[rows] < n]] = 0  # a scrap alone: nothing to fade in to
        self._arrivals.begin(rows)

    def _patch(
        self, rows: NDArray[np.intp], depth: NDArray[np.int64], in_stock: NDArray[np.bool_], now: float
    ) -> None:
        """Fill the frames of rows that ran out of audio, or come back from that (`in_stock`)."""
        ring, n, gap = self._ring, self._frame, self._gap
        # A scrap that comes in the middle of concealing waits for the rest of its frame.
        real = np.where(in_stock, n, np.where(gap[rows] == 0, depth, 0))
        frames = ring.linear(ring.read(rows, ring.tail[rows], n))
        ring.tail[rows] += real
        # Where the audio ends (or ended), and so the sound that is repeated.
        until = ring.tail[rows] - np.where(in_stock, n, 0)
        history = ring.linear(ring.read(rows, until - self._concealer.history, self._concealer.history))
        fresh = np.flatnonzero((gap[rows] == 0) & ~in_stock)
        if fresh.size:
            self._lag[rows[fresh]] = self._concealer.lags(history[fresh])
        made_up = self._concealer.repeat(history, self._lag[rows], gap[rows] - real * ~in_stock, n)
        weight = (np.arange(n) < real[:, None]).astype(np.float32)
        fade = len(self._fade_in)
        back = in_stock[:, None]
        weight[:, :fade] = np.where(back, self._fade_in, weight[:, :fade])
        self.block[rows] = made_up + (frames - made_up) * weight
        out = rows[~in_stock]
        self._concealed[out] += ~self._quiet[out]
        gap[rows] = np.where(in_stock, 0, gap[rows] + n - real)
        over = rows[gap[rows] >= self._concealer.longest]
        gap[over] = self._concealer.longest
        self._playing[over] = False
        left = over[ring.head[over] > ring.tail[over]]
        self._starts_at[left] = now

    def _correct(self, able: NDArray[np.bool_], depth: NDArray[np.int64]) -> list[int]:
        """Shorten or lengthen what a few rows hold; gives the rows whose frame is thereby made."""
        if not self._arrivals.planning:
            return []
        top = len(able)
        quiet = self._quiet[:top] | ~self.wanted[:top]
        done = []
        for row, wish_ms in self._arrivals.plan(able, quiet, depth / self._per_ms):
            held = int(depth[row])
            by = self._splice(row, held, wish_ms, bool(quiet[row]))
            self._arrivals.corrected(row, by / self._per_ms, wish_ms, bool(quiet[row]))
            if by:
                self._corrected[row] += 1
                done.append(row)
        return done

    def _splice(self, row: int, held: int, wish_ms: float, quiet: bool) -> int:
        """Make the row's frame; gives the samples left out, negative for those repeated, 0 for neither."""
        ring, splicer, n = self._ring, self._splicer, self._frame
        tail, wish = ring.tail_cells[row], int(wish_ms * self._per_ms)
        if wish_ms > self._settings.max_depth_ms:
            by = min(wish, held - n)
            self._dropped[row] += by
            frame = splicer.cross(ring.sound(row, tail, n), ring.sound(row, tail + by, n))
        else:
            longest = splicer.longest
            sound = ring.sound(row, tail - longest, longest + min(held, n + longest))
            by = splicer.jump(sound, wish, quiet, self._arrivals.urgent(wish_ms))
            frame = splicer.cut(sound, by)
        if by:
            self.block[row] = frame
            ring.tail_cells[row] = tail + n + by
        return by

    def look(self, row: int) -> InputLook:
        """Counters and depths of the row."""
        ring, n = self._ring, self._frame
        depth_ms = float(ring.head[row] - ring.tail[row]) / self._per_ms
        return InputLook(
            depth_ms=depth_ms,
            target_ms=max(depth_ms - max(self._arrivals.surplus_ms(row), 0.0), 0.0),
            jitter_ms=float(self._arrivals.jitter_ms[row]),
            frames_in=int(ring.head[row]) // n,
            concealed=int(self._concealed[row]),
            dropped=-(-int(self._dropped[row]) // n),
            corrected=int(self._corrected[row]),
        )
