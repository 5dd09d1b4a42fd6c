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
from bridge.legs.capture_file_wire import CaptureBuffer
from bridge.legs.capture_wire import Facts, Frame, Head, Media, Record
from bridge.outputs.capture_shelf import CaptureShelf, Swept

log = logging.getLogger(__name__)

WAITING_BYTES = 16 * 1024 * 1024
"""Of all captures together, for the disk."""
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

    def is_live(self, capture_id: str) -> bool:
        """Whether it is being written."""
        return capture_id in self._live

    def figures(self) -> CaptureFigures:
        """For the metrics."""
        self._figures.live = len(self._live)
        return self._figures

    # --- for captures, on the loop's thread ---

    @property
    def full(self) -> bool:
        """Whether captures must end for want of room."""
        return self._full

    def room_for(self, size: int, *, after_hole: bool = False) -> bool:
        """Whether so many bytes more may wait for the disk; after a hole, whether half the room is free."""
        room = self._waiting_bytes // 2 if after_hole else self._waiting_bytes
        return self._handed - self._done + size <= room

    def hand_over(self, file: CaptureFile, written: bytes, *, last: bool) -> None:
        """Have it written; the last time, `file` is closed behind it."""
        self._handed += len(written)
        self._jobs.put(_Job(file, written, last))

    def note_missing(self, records: int) -> None:
        """A hole was written."""
        self._figures.missing += records

    def note_full(self, file: CaptureFile) -> None:
        """A capture has to end for want of room, its own or all together."""
        if not file.broken:
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
        self._buffer = CaptureBuffer(head)
        self._limit = files.shelf.limits.bytes_each - _END_BYTES
        self._missing = 0

    def put(self, record: Record) -> None:
        """Take it; what there is no room for is a hole."""
        buffer = self._buffer
        if buffer.ended:
            return
        if self.broken or self._files.full or buffer.size > self._limit:
            self._files.note_full(self)
            self.end(0, "full", "", {})
            return
        size = buffer.pending + (len(record.payload) if isinstance(record, Frame | Media) else 0)
        buffer.put(record, room=self._files.room_for(size, after_hole=buffer.holed))
        self._count()
        if buffer.due:
            self._files.hand_over(self, buffer.take(), last=False)

    def end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        """Nothing follows."""
        if not self._buffer.ended:
            self._buffer.end(reason, detail, facts, at_ns)
            self._files.hand_over(self, self._buffer.take(), last=True)

    def _count(self) -> None:
        missing = self._buffer.missing
        if missing > self._missing:
            self._files.note_missing(missing - self._missing)
            self._missing = missing
