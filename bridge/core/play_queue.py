"""Play queues: what a bot or a prompt wants to be heard, in full, once, with word of when it was.

A queue never drops, stretches or conceals what it accepted. The next fraction of a second of every queue lies
in one ring, which is read for all rows at once; what is behind waits in blocks, row by row.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from bridge.core.pool import QueueSettings, Rows
from bridge.core.ports import AudioFormat, InputLook
from bridge.core.queue_marks import NEVER, Marks, RowCleared, RowDry, RowEvent
from bridge.core.ring import WireRing
from bridge.core.table import FIRST_CAPACITY, Table

_STAGE_MS = 200
_BLOCK_BYTES = 16_384
"""Small pieces are joined up to this size, so that their number does not matter."""
_SILENT_PEAK = 8.0


class _Behind:
    """What of a row is not for the arrays: blocks behind the stage, marks, clears."""

    __slots__ = ("accepted", "blocks", "cleared", "marks", "refused")

    def __init__(self) -> None:
        self.blocks: deque[bytearray] = deque()
        self.marks = Marks()
        self.cleared: list[RowEvent] = []
        """Events of clears since the last tick."""
        self.accepted = 0
        self.refused = 0
        """Samples there was no room for, and odd bytes."""


class QueuePool(Table):
    """All play queues of one raw format. Shapes as in `Pool`."""

    def __init__(self, audio_format: AudioFormat, settings: QueueSettings) -> None:
        """Raises ValueError for Opus."""
        super().__init__()
        self.rate_hz = audio_format.rate_hz
        self._settings = settings
        self._frame = audio_format.frame_samples
        self._width = audio_format.sample_bytes
        self._limit = int(settings.limit_s * audio_format.rate_hz)
        self._per_ms = audio_format.rate_hz / 1000
        self._least = int(settings.least_prefill_ms * self._per_ms)
        self._most = int(settings.most_prefill_ms * self._per_ms)
        self._fade = int(settings.fade_ms * self._per_ms)
        falling = 1 - (np.arange(self._fade, dtype=np.float32) + 1) / (self._fade + 1)
        self._fade_out: NDArray[np.float32] = falling.astype(np.float32)
        self._stage = WireRing(audio_format, int(_STAGE_MS * self._per_ms), self._frame)
        self._rows = Rows()
        self._events: list[tuple[int, RowEvent]] = []
        self._cleared: list[int] = []  # rows, since the last tick
        self._behind: list[_Behind] = []
        self.block = self._column("block", np.float32, width=(self._frame,))
        self.sounding = self._column("sounding", np.bool_)
        self.wanted = self._column("wanted", np.bool_, True)
        self._queued = self._column("_queued", np.int64)  # samples, since the row was opened
        self._played = self._column("_played", np.int64)
        self._backlog = self._column("_backlog", np.int64)  # samples behind the stage
        self._next_mark = self._column("_next_mark", np.int64, NEVER)  # its position
        self._marked = self._column("_marked", np.int64, -1)  # position of the newest mark there was
        self._playing = self._column("_playing", np.bool_)
        # When audio was first seen in a row that does not play; inf: there is none, or it plays.
        self._waits_since = self._column("_waits_since", np.float64, np.inf)
        # When the row ran dry, until it is known why; inf: nothing open.
        self._dry_since = self._column("_dry_since", np.float64, np.inf)
        self._prefill = self._column("_prefill", np.int64, self._least)
        self._clearing = self._column("_clearing", np.bool_)
        self._ending = self._column("_ending", np.float32, width=(self._fade,))  # what would have played
        self._underruns = self._column("_underruns", np.int64)
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        super().grow(capacity)
        self._behind += [_Behind() for _ in range(capacity - len(self._behind))]
        # Plain Python numbers come and go through these at a third of the cost of indexing arrays.
        self._queued_cells = self._queued.data
        self._played_cells = self._played.data
        self._backlog_cells = self._backlog.data
        self._stage.grow(capacity)

    def reset(self, row: int) -> None:
        """Make the row as new."""
        super().reset(row)
        self._stage.reset(row)
        self._behind[row] = _Behind()

    def open(self) -> int:
        """A row for a new queue."""
        row = self._rows.open()
        if row >= len(self.block):
            self.grow(2 * len(self.block))
        self.reset(row)
        return row

    def close(self, row: int) -> None:
        """Give the row back; it is silent at once, its marks are forgotten. Raises KeyError if not open."""
        self._rows.close(row)
        self.reset(row)
        self._events = [event for event in self._events if event[0] != row]
        self._cleared = [cleared for cleared in self._cleared if cleared != row]

    def play(self, row: int, payload: bytes | memoryview) -> int:
        """Append wire audio; gives the samples taken: fewer than came when the queue is full.

        Of an odd number of bytes of 16-bit audio the last one is left out.
        """
        if type(payload) is not bytes:
            payload = memoryview(payload).cast("B")
        stage, behind, width = self._stage, self._behind[row], self._width
        came, odd = divmod(len(payload), width)
        queued = self._queued_cells[row]
        count = min(came, self._limit - (queued - self._played_cells[row]))
        behind.refused += came - count + odd
        if count <= 0:
            return 0
        direct = 0
        if not self._backlog_cells[row]:
            direct = min(count, stage.limit - (stage.head_cells[row] - stage.tail_cells[row]))
            stage.write(row, payload, direct)
        if direct < count:
            if not behind.blocks or len(behind.blocks[-1]) >= _BLOCK_BYTES:
                behind.blocks.append(bytearray())
            behind.blocks[-1] += payload[direct * width : count * width]
            self._backlog_cells[row] += count - direct
        self._queued_cells[row] = queued + count
        behind.accepted += count
        return count

    def mark(self, row: int, name: str) -> bool:
        """`RowMark(name)` follows once everything queued so far has been taken; at the next take, if it has.

        False, and no event ever, when too many marks are pending.
        """
        marks, position = self._behind[row].marks, self._queued_cells[row]
        if len(marks) >= self._settings.max_marks:
            return False
        marks.add(name, position)
        self._next_mark[row] = marks.next_at
        self._marked[row] = position
        return True

    def clear(self, row: int) -> None:
        """Empty the queue: of what would have played next only a short fade is heard.

        `RowCleared` follows at the next take, with the marks that are thereby dropped; marks behind which
        nothing was left to play are not. What is queued from now on plays right after the fade.
        """
        stage, behind = self._stage, self._behind[row]
        played = self._played_cells[row]
        if self._playing[row] and not self._clearing[row]:
            held = min(stage.head_cells[row] - stage.tail_cells[row], self._fade)
            self._ending[row] = 0.0
            self._ending[row, :held] = stage.sound(row, stage.tail_cells[row], held) * self._fade_out[:held]
            self._clearing[row] = True
        behind.cleared += behind.marks.passed(played)
        behind.cleared.append(RowCleared(behind.marks.drop()))
        if row not in self._cleared:
            self._cleared.append(row)
        behind.blocks.clear()
        self._next_mark[row], self._marked[row] = NEVER, -1
        self._queued[row] = played
        self._backlog[row] = 0
        self._dry_since[row] = self._waits_since[row] = np.inf
        stage.tail_cells[row] = stage.head_cells[row]

    def take(self, now: float) -> None:
        """The next 20 ms of every row."""
        top, n = self._rows.top, self._frame
        if not top:
            return
        stage = self._stage
        self._refill(top)
        left = self._queued[:top] - self._played[:top]
        self._start(left, now)
        lead = np.where(self._clearing[:top], self._fade, 0)  # the ending of what was cleared comes first
        count = np.minimum(left, n - lead) * self._playing[:top]
        busy = (((count > 0) | self._clearing[:top]) & self.wanted[:top]).nonzero()[0]
        peak = np.zeros(top, dtype=np.float32)
        if busy.size:
            frames = stage.linear(stage.read(busy, stage.tail[busy], n))
            short = ((count[busy] < n) | (lead[busy] > 0)).nonzero()[0]
            for index in short:
                row = busy[index]
                frame = frames[index].copy()
                frames[index] = 0.0
                frames[index, lead[row] : lead[row] + count[row]] = frame[: count[row]]
                if lead[row]:
                    frames[index, : self._fade] = self._ending[row]
            self.block[busy] = frames
            peak[busy] = np.abs(frames).max(axis=1)
        stage.tail[:top] += count
        self._played[:top] += count
        # Cleared and nothing since: that is an end, not a queue run dry.
        self._playing[:top] &= ~(self._clearing[:top] & (left == 0))
        self._clearing[:top] = False
        sounds = peak > _SILENT_PEAK
        hush = self.sounding[:top] & ~sounds
        hush[busy] |= ~sounds[busy]
        self.block[hush.nonzero()[0]] = 0.0
        self.sounding[:top] = sounds
        self._tell(top, left - count, count, now)

    def _refill(self, top: int) -> None:
        """Move audio up to the stage for rows that have little there and more behind."""
        stage, width = self._stage, self._width
        held = stage.head[:top] - stage.tail[:top]
        for row in ((self._backlog[:top] > 0) & (held < 2 * self._frame)).nonzero()[0].tolist():
            blocks = self._behind[row].blocks
            room = stage.limit - int(held[row])
            while room and blocks:
                count = min(room, len(blocks[0]) // width)
                stage.write(row, blocks[0][: count * width], count)
                del blocks[0][: count * width]
                if not blocks[0]:
                    blocks.popleft()
                room -= count
                self._backlog[row] -= count

    def _start(self, left: NDArray[np.int64], now: float) -> None:
        """Let rows play that have enough, or a mark, or have waited long enough."""
        top = len(left)
        idle = ~self._playing[:top] & (left > 0)
        if not idle.any():
            return
        waits_since, prefill = self._waits_since[:top], self._prefill[:top]
        waits_since[idle] = np.minimum(waits_since[idle], now)
        waited = (now - waits_since) * self.rate_hz >= prefill - 0.5
        marked = self._marked[:top] > self._played[:top]
        begins = (idle & ((left >= prefill) | marked | waited)).nonzero()[0]
        self._playing[begins] = True
        waits_since[begins] = np.inf
        soon = begins[self._dry_since[begins] < np.inf]
        for row in soon.tolist():
            self._underruns[row] += 1
            self._events.append((row, RowDry(underrun=True)))
        self._prefill[soon] = np.minimum(self._prefill[soon] + self._frame, self._most)
        self._dry_since[soon] = np.inf

    def _tell(self, top: int, left: NDArray[np.int64], count: NDArray[np.int64], now: float) -> None:
        """After the audio: what was cleared, which marks were passed, which queues are empty."""
        for row in self._cleared:
            self._events += [(row, event) for event in self._behind[row].cleared]
            self._behind[row].cleared = []
        self._cleared = []
        played = self._played[:top]
        for row in (self._next_mark[:top] <= played).nonzero()[0].tolist():
            marks = self._behind[row].marks
            self._events += [(row, passed) for passed in marks.passed(int(played[row]))]
            self._next_mark[row] = marks.next_at
        playing, dry_since = self._playing[:top], self._dry_since[:top]
        empty = playing & (left == 0)
        ended = self._marked[:top] == played
        # Empty to the sample, without a mark: more may come before the next tick.
        stopped = empty & (ended | (count < self._frame))
        if stopped.any():
            playing[stopped] = False
            dry_since[stopped] = now
        settled = dry_since < np.inf
        if not settled.any():
            return
        settled &= (left == 0) & (ended | (now - dry_since >= self._settings.underrun_s - 1e-6))
        for row in settled.nonzero()[0].tolist():
            dry_since[row] = np.inf
            self._prefill[row] = max(int(self._prefill[row]) - self._frame // 4, self._least)
            self._events.append((row, RowDry(underrun=False)))

    def drain(self) -> list[tuple[int, RowEvent]]:
        """What happened in the takes since the last call, in order, with its row."""
        events, self._events = self._events, []
        return events

    def look(self, row: int) -> InputLook:
        """Counters and depths of the row; `dropped` is what there was no room for."""
        behind = self._behind[row]
        return InputLook(
            depth_ms=float(self._queued[row] - self._played[row]) / self._per_ms,
            target_ms=float(self._prefill[row]) / self._per_ms,
            frames_in=behind.accepted // self._frame,
            dropped=-(-behind.refused // self._frame),
            underruns=int(self._underruns[row]),
        )
