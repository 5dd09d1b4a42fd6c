"""Reads a recording's log, finished or growing: for those who make files of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.outputs.record import Ended, Lost, Record
from bridge.outputs.record_log import Batch, Damage, LogScan

LOG_FOLDER = "log"
_LOG_NAME = re.compile(r"([0-9]{6,})\.rec")

Poll = Callable[[], None]
"""Called when there is nothing new yet: waits a little. What it raises ends the reading."""


def log_name(stretch: int) -> str:
    """Of the file of a stretch."""
    return f"{stretch:06}.rec"


def log_path(recording: Path, stretch: int) -> Path:
    """Where a stretch's log lies in a recording's directory."""
    return recording / LOG_FOLDER / log_name(stretch)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is told of the ticks from `since` until before `until`; each begins where the last ended."""

    since: int
    until: int
    records: tuple[Record, ...]


class RecordReader:
    """The log in a recording's directory. Holds one batch at a time; any number may read at once.

    Gives every tick once, in order, whatever became of the log: what is damaged in it, or missing, is `Lost`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def stretches(self) -> list[int]:
        """Those that have a log, in order."""
        try:
            names = os.listdir(self._directory / LOG_FOLDER)
        except FileNotFoundError:
            return []
        return sorted(int(found[1]) for name in names if (found := _LOG_NAME.fullmatch(name)))

    def read(self, stretch: int, follow: Poll | None = None) -> Iterator[Record]:
        """The stretch's records, in order: see `told`."""
        for told in self.told(stretch, follow):
            yield from told.records

    def told(self, stretch: int, follow: Poll | None = None) -> Iterator[Told]:
        """The stretch, piece by piece: to what is there by now, or with `follow` until its `Ended`.

        A piece without records says that time went by in silence. Raises BadLog, OSError and what `follow`
        raises.
        """
        course = _Course(log_path(self._directory, stretch), follow is not None)
        try:
            while not course.over:
                told = course.next()
                if told is not None:
                    yield told
                elif follow is None:
                    return
                else:
                    follow()
        finally:
            course.close()


class _Course:
    """One reading of one stretch."""

    def __init__(self, path: Path, following: bool) -> None:
        self._path = path
        self._following = following
        self._file = _LogFile(path)
        self._scan = LogScan(self._file.read)
        self._until = 0
        self._damaged = False
        self.over = False

    def next(self) -> Told | None:
        found = self._scan.next()
        if found is None and self._following:
            self._look_again()
            found = self._scan.next()
        if isinstance(found, Damage):
            self._damaged = True
            found = self._scan.next()
        return self._tell(found) if isinstance(found, Batch) else None

    def close(self) -> None:
        self._file.close()

    def _tell(self, batch: Batch) -> Told:
        records: list[Record] = []
        if batch.since > self._until:
            why = "the log is damaged" if self._damaged else "the log was lost"
            records.append(Lost(self._until, batch.since, why))
        for record in batch.records():
            if isinstance(record, Lost) and record.tick < self._until:
                # Of a log that had to be begun anew, whose beginning we have read in the old one.
                if record.until > self._until:
                    records.append(Lost(self._until, record.until, record.why))
                continue
            records.append(record)
            self.over = self.over or isinstance(record, Ended)
        since, self._until = self._until, max(self._until, batch.until)
        self._damaged = False
        return Told(since, self._until, tuple(records))

    def _look_again(self) -> None:
        """The writer may have cut off what it could not finish, and written anew; or begun a new file."""
        if self._file.replaced():
            self._file.close()
            self._file = _LogFile(self._path)
            self._scan = LogScan(self._file.read, sequence=self._scan.sequence)
        elif not self._scan.stands():
            self._scan = LogScan(self._file.read, sequence=self._scan.sequence)


class _LogFile:
    """An open log; one that is not there is empty, until `replaced` says otherwise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            self._descriptor = None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(self, offset: int, length: int) -> bytes:
        return b"" if self._descriptor is None else os.pread(self._descriptor, length, offset)

    def replaced(self) -> bool:
        """Whether another file is there now."""
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if self._descriptor is None:
            return True
        ours = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
