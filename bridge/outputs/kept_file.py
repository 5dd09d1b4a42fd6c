"""A file in the making: under a temporary name until it is whole, and on the disk as far as it was synced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PART: Final = ".part"
"""What a file's name ends in while it grows; what is in it can be read meanwhile."""

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
_PIECE: Final = 1 << 20


class KeptFile:
    """A file for one writer. It has what a container library asks of a file: `write`, `seek`, `tell`.

    `finish` gives it its name, in one step; without it nothing of that name appears or changes.
    """

    def __init__(self, path: Path) -> None:
        """The directory must be there. Raises OSError."""
        self.path = path
        self.part = path.with_name(path.name + PART)
        self._descriptor = os.open(self.part, _NEW, 0o600)
        self._at = 0
        self._unsynced = False
        self.closed = False

    def write(self, some: bytes | bytearray | memoryview) -> int:
        """All of it, at the place where we are."""
        left = memoryview(some).cast("B")
        length = len(left)
        while left:
            done = os.pwrite(self._descriptor, left, self._at)
            self._at += done
            left = left[done:]
        self._unsynced = True
        return length

    def write_at(self, place: int, some: bytes) -> None:
        """Over what is there, without moving."""
        here, self._at = self._at, place
        self.write(some)
        self._at = here

    def skip(self, length: int) -> None:
        """Zeros, which take no room on the disk."""
        self._at += length
        if self._at > os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, self._at)
            self._unsynced = True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where to write next."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self.size if origin is None else origin)
        return self._at

    def tell(self) -> int:
        """Where is written next."""
        return self._at

    @property
    def size(self) -> int:
        """How much is in it."""
        return self.path.stat().st_size if self.closed else os.fstat(self._descriptor).st_size

    def seekable(self) -> bool:
        """It is."""
        return True

    def sync(self) -> None:
        """Everything written so far is on the disk afterwards."""
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False

    def finish(self, synced: bool = True) -> None:
        """It is whole: under its name and, if `synced`, on the disk."""
        if synced:
            os.fsync(self._descriptor)
        os.replace(self.part, self.path)
        if synced:
            sync_directory(self.path.parent)
        self._close()

    def branch(self) -> None:
        """After a fork: go on in a copy, so that the other process goes on in the original."""
        original = self._descriptor
        self.part = self.path.with_name(f"{self.path.name}.{os.getpid()}{PART}")
        self._descriptor = os.open(self.part, _NEW, 0o600)
        _copy(original, self._descriptor)

    def abandon(self) -> None:
        """It is not wanted any more. May be called at any time, again too; what is finished stays."""
        if not self.closed:
            self._close()
            self.part.unlink(missing_ok=True)

    def _close(self) -> None:
        self.closed = True
        os.close(self._descriptor)


def link(file: KeptFile) -> None:
    """Give what a file is so far its name, while it goes on growing under the temporary one."""
    other = file.path.with_name(f"{file.path.name}.{os.getpid()}{PART}")
    os.link(file.part, other)
    os.replace(other, file.path)
    sync_directory(file.path.parent)


def _copy(source: int, target: int) -> None:
    at = 0
    while piece := os.pread(source, _PIECE, at):
        os.pwrite(target, piece, at)
        at += len(piece)


def sync_file(path: Path) -> None:
    """What is in it is on the disk afterwards."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """The names in it are on the disk afterwards."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, synced: bool = True) -> None:
    """A small file at once: the old one or the new one is there, never a part.

    Unless `synced`, a loss of power may undo it.
    """
    file = KeptFile(path)
    try:
        file.write(content)
        file.finish(synced)
    finally:
        file.abandon()
