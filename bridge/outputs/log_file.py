"""One stretch's log on the disk, being written."""

from __future__ import annotations

import contextlib
import errno
import os

from bridge.outputs.disk import Disk
from bridge.outputs.record_log import OPENING_BYTES, frame, identity_of, opening
from bridge.outputs.record_reader import LOG_FOLDER, log_name
from bridge.outputs.record_tail import Tail, find_tail

_PROBE = bytes(1 << 20)


class LogFile:
    """Open it, append, sync; every method raises OSError. After one it has to be closed and opened again.

    What a failed `append` wrote is cut off again, and so is, on opening, what a failed `sync` left in doubt:
    a disk may say that a write failed once, and never again.
    """

    def __init__(self, disk: Disk, root: str, recording: str, stretch: int, identity: bytes) -> None:
        self._disk = disk
        self._root = root
        self._recording = os.path.join(root, recording)
        self._folder = os.path.join(self._recording, LOG_FOLDER)
        self._path = os.path.join(self._folder, log_name(stretch))
        self._identity = identity
        self._descriptor: int | None = None
        self._durable: int | None = None
        self._placed = False  # its name, and its directories', are durable
        self.size = 0
        """Bytes, with what is not durable."""

    def open(self, acknowledged: int, *, probe: bool = False) -> Tail:
        """Open the log, or make it and its directories (not their root), durable when this returns.

        Gives where it ends, after cutting off what is torn. `acknowledged`: the newest batch known to be
        durable. `probe`: fail unless there is room for some more.
        """
        for folder in (self._recording, self._folder):
            if self._disk.make_directory(folder):
                self._placed = False
        try:
            self._descriptor = descriptor = self._disk.open(self._path, make=False)
        except FileNotFoundError:
            self._descriptor = descriptor = self._disk.open(self._path, make=True)
            self._durable = None
            self._placed = False
        self._disk.lock(descriptor)
        tail = self._find_tail(descriptor, acknowledged)
        self.size = tail.offset
        if self._disk.size(descriptor) != tail.offset:
            self._disk.cut(descriptor, tail.offset)
        if self.size == 0:
            self._write(opening(self._identity))
        if probe:
            self._probe()
        self._disk.sync(descriptor)
        if not self._placed:
            for folder in (self._folder, self._recording, self._root):
                self._disk.sync_directory(folder)
            self._placed = True
        self._durable = self.size
        return tail

    def append(self, sequence: int, since: int, until: int, payload: bytes) -> None:
        """Add a batch; it is durable after the next `sync`."""
        self._write(frame(sequence, since, until, payload))

    def sync(self) -> None:
        """What was appended is on the disk, under its name, when this returns."""
        assert self._descriptor is not None
        self._disk.sync(self._descriptor)
        if not self._disk.same(self._path, self._descriptor):
            self._durable = None
            raise FileNotFoundError(errno.ENOENT, "the log vanished")
        self._durable = self.size

    def close(self) -> None:
        """Without a sync. May be called twice."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                self._disk.close(descriptor)

    def _find_tail(self, descriptor: int, acknowledged: int) -> Tail:
        size = self._disk.size(descriptor)
        there = identity_of(self._disk.read(descriptor, OPENING_BYTES, 0))
        # One without a readable opening is ours when it was just being made, or was known to be whole before.
        ours = there == self._identity if there is not None else acknowledged > 0 or size < OPENING_BYTES
        if not ours:
            raise FileExistsError(errno.EEXIST, "there is another log of that name")
        if self._durable is not None:
            size = min(size, self._durable)

        def read(offset: int, length: int) -> bytes:
            length = min(length, size - offset)
            return self._disk.read(descriptor, length, offset) if length > 0 else b""

        return find_tail(read, size, trusted=acknowledged)

    def _write(self, piece: bytes) -> None:
        assert self._descriptor is not None
        left, offset = memoryview(piece), self.size
        try:
            while left:
                taken = self._disk.write(self._descriptor, left, offset)
                left, offset = left[taken:], offset + taken
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.cut(self._descriptor, self.size)
            raise
        self.size = offset

    def _probe(self) -> None:
        before = self.size
        self._write(_PROBE)
        assert self._descriptor is not None
        self._disk.sync(self._descriptor)
        self._disk.cut(self._descriptor, before)
        self.size = before
