"""Writes captures: records are taken at once, and a thread brings them to the disk.

What the disk cannot take in time is a hole in the capture and counted; no tick and no leg ever waits. A
capture whose disk fails, or that has grown too long, ends there; what it captures goes on.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.core.ports import CaptureOrder
from bridge.legs.capture_file_wire import CaptureWriter
from bridge.legs.capture_wire import Facts, Frame, Head, Hole, Media, Record, Tick
from bridge.outputs.capture_shelf import CaptureShelf, Swept

log = logging.getLogger(__name__)

WAITING_BYTES = 16 * 1024 * 1024
"""Of all captures together, for the disk."""
CHUNK_BYTES = 16 * 1024
CHUNK_NS = 200_000_000
"""At most so much, and so long, lies with a capture before the thread gets it: what a killed server loses."""
SWEEP_S = 3_600.0
CLOSE_S = 5.0
_END_BYTES = 4_096
"""Kept free for the end of a capture that is full."""


@dataclass(slots=True)
class CaptureFigures:
    """Counters since the start, but for `live`."""

    files: int = 0
    live: int = 0
    bytes: int = 0
    """Written."""
    missing: int = 0
    """Records in holes."""
    full: int = 0
    """Captures that reached their limit."""
    failed: int = 0
    """Captures that could not be written."""
    deleted: int = 0
    """Old ones."""


@dataclass(frozen=True, slots=True)
class _Job:
    file: CaptureFile
    written: bytes
    last: bool


class CaptureFiles:
    """All captures of a process. `start` before the first, `close` at the end."""

    def __init__(
        self,
        shelf: CaptureShelf,
        *,
        waiting_bytes: int = WAITING_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`write` is how bytes get to a file, as `os.write`."""
        self.shelf = shelf
        self._waiting_bytes = waiting_bytes
        self._write = write
        self._wall = wall
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # bounded by its bytes: see `room`
        self._handed = 0
        """Bytes given to the thread; written by the loop's thread only."""
        self._done = 0
        """Bytes it is through with; written by the thread only."""
        self._live: set[str] = set()
        self._full = False
        """All that lives together is beyond the total."""
        self._since_sweep = 0
        self._figures = CaptureFigures()
        self._thread = threading.Thread(target=self._run, name="captures", daemon=True)

    def start(self) -> None:
        """Begin to write, and to sweep."""
        self._thread.start()

    def close(self) -> None:
        """Returns when everything has been written, or when the disk takes too long for that."""
        self._jobs.put(None)
        self._thread.join(CLOSE_S)

    def open(self, order: CaptureOrder, head: Head) -> CaptureFile | None:
        """A new capture; None while there is no room for any."""
        if self._full:
            self._figures.failed += 1
            return None
        self._figures.files += 1
        self._live.add(order.id)
        return CaptureFile(self, order, head)

    def figures(self) -> CaptureFigures:
        """For the metrics."""
        self._figures.live = len(self._live)
        return self._figures

    # --- for captures, on the loop's thread ---

    @property
    def full(self) -> bool:
        """Whether captures must end for want of room."""
        return self._full

    def room_for(self, size: int) -> bool:
        """Whether so many bytes more may wait for the disk."""
        return self._handed - self._done + size <= self._waiting_bytes

    def hand_over(self, file: CaptureFile, written: bytes, *, last: bool) -> None:
        """Have it written; the last time, `file` is closed behind it."""
        self._handed += len(written)
        self._jobs.put(_Job(file, written, last))

    def note_missing(self, records: int) -> None:
        """A hole was written."""
        self._figures.missing += records

    def note_full(self) -> None:
        """A capture has reached its limit."""
        self._figures.full += 1

    # --- the thread ---

    def _run(self) -> None:
        self._sweep()
        next_sweep = time.monotonic() + SWEEP_S
        while True:
            try:
                job = self._jobs.get(timeout=max(0.0, next_sweep - time.monotonic()))
            except queue.Empty:
                self._sweep()
                next_sweep = time.monotonic() + SWEEP_S
                continue
            if job is None:
                return
            self._do(job)
            if self._since_sweep > self.shelf.limits.bytes_total // 20 or (job.last and self._since_sweep):
                self._sweep()

    def _do(self, job: _Job) -> None:
        file = job.file
        try:
            if not file.broken:
                self._bring(file, job.written)
                if job.last:
                    os.fsync(file.descriptor)
        except (OSError, ValueError) as wrong:
            file.broken = True
            self._figures.failed += 1
            text = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
            log.error("x capture %s cannot be written: %s", file.order.id, text)
        finally:
            self._done += len(job.written)
            if job.last:
                self._live.discard(file.order.id)
                if file.descriptor >= 0:
                    os.close(file.descriptor)
                    file.descriptor = -1

    def _bring(self, file: CaptureFile, written: bytes) -> None:
        if file.descriptor < 0:
            file.descriptor = self.shelf.create(file.order.owner, file.order.id)
        left = written
        while left:
            count = self._write(file.descriptor, left)
            self._figures.bytes += count
            self._since_sweep += count
            left = left[count:]

    def _sweep(self) -> None:
        self._since_sweep = 0
        try:
            swept: Swept = self.shelf.sweep(self._wall(), frozenset(self._live))
        except OSError as wrong:
            log.error("x captures cannot be swept: %s", wrong.strerror)
            return
        self._figures.deleted += swept.deleted
        self._full = swept.bytes > self.shelf.limits.bytes_total
        if swept.deleted:
            log.info("- %d old captures deleted", swept.deleted)


class CaptureFile:
    """One capture: a `bridge.legs.captures.CaptureSink`. Ends once, by itself or by `end`."""

    def __init__(self, files: CaptureFiles, order: CaptureOrder, head: Head) -> None:
        self.order = order
        self.descriptor = -1
        """The thread's."""
        self.broken = False
        """Nothing more can be written; set by the thread."""
        self._files = files
        self._writer = CaptureWriter()
        self._pending = bytearray(self._writer.begin(head))
        self._limit = files.shelf.limits.bytes_each - _END_BYTES
        self._ended = False
        self._at_ns = 0
        """Of the newest record that has a time."""
        self._handed_ns = 0
        self._missing = self._missing_frames = 0
        """Since the last record that was written."""

    def put(self, record: Record) -> None:
        """Take it; what there is no room for is a hole."""
        if self._ended:
            return
        if self.broken or self._files.full:
            self._end(self._at_ns, "full", "", {})
            return
        is_tick = type(record) is Tick
        self._at_ns = getattr(record, "at_ns", self._at_ns)
        sound = type(record) is Frame or type(record) is Media
        size = len(self._pending) + (len(record.payload) if isinstance(record, Frame | Media) else 0)
        if (self._missing and not is_tick) or not self._files.room_for(size):
            self._missing += 1
            self._missing_frames += sound
            return
        if self._missing:
            self._fill_hole()
        self._pending += self._writer.write(record)
        if self._writer.bytes > self._limit:
            self._end(self._at_ns, "full", "", {})
        elif len(self._pending) >= CHUNK_BYTES or (is_tick and self._at_ns - self._handed_ns >= CHUNK_NS):
            self._hand_over()

    def end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        """Nothing follows."""
        if not self._ended:
            self._end(at_ns, reason, detail, facts)

    def _end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        self._ended = True
        if reason == "full" and not self.broken:
            self._files.note_full()
        if self._missing:
            self._fill_hole()
        self._pending += self._writer.end(at_ns, reason, detail, facts)
        self._hand_over(last=True)

    def _fill_hole(self) -> None:
        self._pending += self._writer.write(Hole(self._at_ns, self._missing, self._missing_frames))
        self._files.note_missing(self._missing)
        self._missing = self._missing_frames = 0

    def _hand_over(self, *, last: bool = False) -> None:
        self._files.hand_over(self, bytes(self._pending), last=last)
        self._pending.clear()
        self._handed_ns = self._at_ns
