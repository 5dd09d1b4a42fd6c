"""At start: closes what a server that died had left open, and says so in it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.outputs.disk import Disk
from bridge.outputs.record import Begun, Ended, Lost
from bridge.outputs.record_log import BadLog, Batch, LogScan, Read, begun_of, frame, pack
from bridge.outputs.record_reader import RecordReader, log_path
from bridge.outputs.record_tail import Tail, ended_at, find_tail
from bridge.outputs.scribe import FAREWELL_S
from bridge.outputs.scribe_pen import words_for

WHY = "the server died"
_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Adopted:
    """A stretch that was found without an end, and has one now."""

    recording: str
    """The name of its directory."""
    stretch: int
    begun: Begun | None
    """None: nothing of it had reached the disk; its log is set aside, as `*.torn`."""
    ticks: int
    """How long it is."""
    torn_bytes: int
    """Of a batch that was being written."""


@dataclass(frozen=True, slots=True)
class NotAdopted:
    """A stretch that could not be closed; another call of `adopt` may."""

    recording: str
    stretch: int
    why: str


def adopt(
    root: Path,
    *,
    disk: Disk | None = None,
    wait_s: float = FAREWELL_S + 3.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Adopted | NotAdopted]:
    """Close every stretch under `root` that has no end. Blocks; not for the event loop.

    May be ended anywhere and done again: a stretch is closed or is not. A log that the dead server's scribe
    still writes is waited for, `wait_s` in all.
    """
    disk = disk or Disk()
    left = [wait_s]
    for recording in sorted(_recordings(root)):
        for stretch in RecordReader(root / recording).stretches():
            path = log_path(root / recording, stretch)
            try:
                adopted = _adopt_one(disk, path, recording, stretch, left, sleep)
            except OSError as wrong:
                yield NotAdopted(recording, stretch, words_for(wrong))
            except BadLog as wrong:
                yield NotAdopted(recording, stretch, str(wrong))
            else:
                if adopted is not None:
                    yield adopted


def _recordings(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _adopt_one(
    disk: Disk, path: Path, recording: str, stretch: int, left: list[float], sleep: Callable[[float], None]
) -> Adopted | None:
    descriptor = disk.open(str(path), make=False)
    try:

        def read(offset: int, length: int) -> bytes:
            return disk.read(descriptor, length, offset)

        if ended_at(read, disk.size(descriptor)) is not None:
            return None
        _lock(disk, descriptor, left, sleep)
        size = disk.size(descriptor)
        if ended_at(read, size) is not None:  # the scribe wrote it while we waited
            return None
        tail = find_tail(read, size)
        if tail.sequence == 0:
            return _set_aside(disk, path, recording, stretch, size)
        _close(disk, descriptor, tail)
        return Adopted(recording, stretch, _begun(read), tail.until, size - tail.offset)
    finally:
        disk.close(descriptor)


def _lock(disk: Disk, descriptor: int, left: list[float], sleep: Callable[[float], None]) -> None:
    while True:
        try:
            disk.lock(descriptor)
            return
        except BlockingIOError:
            if left[0] <= 0:
                raise
        sleep(_RETRY_S)
        left[0] -= _RETRY_S


def _close(disk: Disk, descriptor: int, tail: Tail) -> None:
    """One batch, so that it is there or it is not; a torn one is cut off the next time."""
    tick = tail.until
    last = frame(tail.sequence + 1, tick, tick, pack([Lost(tick, tick, WHY), Ended(tick, "died")]))
    disk.cut(descriptor, tail.offset)
    try:
        if disk.write(descriptor, last, tail.offset) < len(last):
            raise OSError(errno.ENOSPC, "no room for the last batch")
    except OSError:
        disk.cut(descriptor, tail.offset)
        raise
    disk.sync(descriptor)


def _set_aside(disk: Disk, path: Path, recording: str, stretch: int, size: int) -> Adopted:
    path.rename(path.with_suffix(".torn"))
    disk.sync_directory(str(path.parent))
    return Adopted(recording, stretch, None, 0, size)


def _begun(read: Read) -> Begun | None:
    scan = LogScan(read)
    while (found := scan.next()) is not None:
        if isinstance(found, Batch):
            return begun_of(found)
    return None
