"""What the scribe does with one log: writes, syncs in time, gives notice, and tries again in trouble."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from bridge.outputs.log_file import LogFile
from bridge.outputs.record_log import BadLog
from bridge.outputs.scribe_wire import Answer, Append, Durable, Opened, Troubled

SYNC_S = 0.4
"""What was appended is made durable after so long at the latest; a second is promised, chunks take 0.2 s."""
SYNC_BYTES = 2 << 20
RETRY_S = 1.0

_KNOWN = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file may not grow further",
    errno.EIO: "the disk reports an input/output error",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "the directory may not be written to",
    errno.ENOENT: "the directory or the log has vanished",
    errno.EEXIST: "there is another log of that name",
    errno.EAGAIN: "another process still writes the log",
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Pen:
    """Writes one log. Not thread-safe; `now` is monotonic seconds.

    `take` appends, `tend` is called when `due_at` has come. Whatever the disk does, nothing is raised: `say`
    is told.
    """

    def __init__(self, log: int, file: LogFile, acknowledged: int, say: Callable[[Answer], None]) -> None:
        self._log = log
        self._file = file
        self._say = say
        self._opening = 0
        self._sequence = acknowledged
        self._durable = acknowledged
        self._unsynced = 0
        self._sync_at: float | None = None
        self._retry_at: float | None = float("-inf")
        self._trouble: OSError | None = None

    def take(self, batch: Append, now: float) -> None:
        """Append it, unless it is in the log already or belongs to an opening that is over."""
        if self._retry_at is not None or batch.opening != self._opening:
            return
        if self._sync_at is None:
            self._sync_at = now + SYNC_S
        if batch.sequence <= self._sequence:
            return  # the next notice says so
        try:
            self._file.append(batch.sequence, batch.since, batch.until, batch.payload)
        except OSError as wrong:
            self.fail(wrong, now)
            return
        self._sequence = batch.sequence
        self._unsynced += len(batch.payload)
        if self._unsynced >= SYNC_BYTES:
            self._sync_at = now

    def tend(self, now: float) -> None:
        """Do what is due."""
        if self._retry_at is not None and now >= self._retry_at:
            self._open(now)
        if self._sync_at is not None and now >= self._sync_at:
            self._sync(now)

    def due_at(self) -> float | None:
        """When `tend` has something to do; None: not before something is taken."""
        return self._retry_at if self._retry_at is not None else self._sync_at

    def fail(self, wrong: OSError, now: float) -> None:
        """Something went wrong with the log; say so, and try again later."""
        self._file.close()
        self._sync_at = None
        self._unsynced = 0
        self._retry_at = now + RETRY_S
        if self._trouble is None or self._trouble.errno != wrong.errno:
            self._say(Troubled(self._log, words_for(wrong)))
        self._trouble = wrong

    def close(self, now: float) -> None:
        """Make durable what was taken, and let go of the log."""
        if self._sync_at is not None:
            self._sync(now)
        self._file.close()
        self._retry_at = self._sync_at = None
        self._opening = -1

    def _open(self, now: float) -> None:
        no_room = self._trouble is not None and self._trouble.errno in _NO_ROOM
        try:
            tail = self._file.open(self._durable, probe=no_room)
        except OSError as wrong:
            self.fail(wrong, now)
            return
        except BadLog:
            self.fail(FileExistsError(errno.EEXIST, "a log of another version"), now)
            return
        self._retry_at = None
        self._opening += 1
        self._sequence = self._durable = tail.sequence
        self._say(Opened(self._log, self._opening, tail.sequence, tail.until, self._file.size))

    def _sync(self, now: float) -> None:
        try:
            self._file.sync()
        except OSError as wrong:
            self.fail(wrong, now)
            return
        self._sync_at = None
        self._unsynced = 0
        self._durable = self._sequence
        self._trouble = None
        self._say(Durable(self._log, self._opening, self._sequence, self._file.size))


def words_for(wrong: OSError) -> str:
    """What is wrong, without a path."""
    if wrong.errno in _KNOWN:
        return _KNOWN[wrong.errno]
    return os.strerror(wrong.errno) if wrong.errno else "the log cannot be written"
