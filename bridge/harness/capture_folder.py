"""Where simulated calls are captured: a file for each, written by a thread, since disks are slow."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

from bridge.errors import ConfigError
from bridge.legs.capture_file_wire import SUFFIX, CaptureBuffer
from bridge.legs.capture_wire import Facts, Head, Record

MAX_WAITING = 1_000
"""Chunks that may wait for the disk…"""
MAX_PENDING_BYTES = 4 * 1024 * 1024
"""…and what each call may hold back meanwhile; more than that is a hole in its capture."""


class CaptureFolder:
    """A folder of its owner's alone; captures of the same names are replaced. `close` at the end."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when it cannot be used."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(0, "it cannot be written to")
        except OSError as wrong:
            raise ConfigError(f"cannot write captures to {path}: {wrong.strerror}") from None
        self.path = path
        self.problem = ""
        """Why writing failed, the last time that it did."""
        self.missing = 0
        """Records that the disk was too slow for."""
        # Bounded by `has_room`, so that nobody waits; for the last of a file there is always place.
        self._work: queue.SimpleQueue[tuple[int, bytes, bool] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="captures", daemon=True)
        self._thread.start()

    def open(self, number: int, head: Head) -> KeptCall:
        """The capture of one call. Raises OSError."""
        path = self.path / f"call-{number:04}{SUFFIX}"
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return KeptCall(self, os.open(path, flags, 0o600), head)

    @property
    def has_room(self) -> bool:
        """Whether one more chunk may wait."""
        return self._work.qsize() < MAX_WAITING

    def write(self, descriptor: int, chunk: bytes, *, last: bool) -> None:
        """Hand a chunk over; with the last one of its file, which needs no room, that is closed."""
        self._work.put((descriptor, chunk, last))

    def problems(self) -> list[str]:
        """What went wrong, in words."""
        said = [f"captures could not be written: {self.problem}"] if self.problem else []
        if self.missing:
            said.append(f"the disk was too slow: {self.missing} records are missing in captures")
        return said

    def close(self) -> None:
        """Returns when everything has been written: blocks."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            descriptor, chunk, last = item
            try:
                while chunk:
                    chunk = chunk[os.write(descriptor, chunk) :]
            except OSError as wrong:
                self.problem = wrong.strerror or "it failed"
            finally:
                if last:
                    os.close(descriptor)


class KeptCall:
    """One call's file."""

    def __init__(self, folder: CaptureFolder, descriptor: int, head: Head) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._buffer = CaptureBuffer(head)

    def put(self, record: Record) -> None:
        """Take it; what there is no room for is a hole."""
        buffer = self._buffer
        buffer.put(record, room=buffer.pending < MAX_PENDING_BYTES // (2 if buffer.holed else 1))
        if buffer.due and not buffer.ended and self._folder.has_room:
            self._folder.write(self._descriptor, buffer.take(), last=False)

    def end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        """Nothing follows."""
        if not self._buffer.ended:
            self._buffer.end(reason, detail, facts, at_ns)
            self._folder.missing += self._buffer.missing
            self._folder.write(self._descriptor, self._buffer.take(), last=True)
