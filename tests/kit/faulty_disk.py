"""A real disk that fails when it is told to."""

from __future__ import annotations

import errno
import os
from collections import Counter

from bridge.outputs.disk import Disk


class FaultyDisk(Disk):
    """`fail["write"] = errno.EIO` makes every write fail until it is taken out again.

    `room`: bytes that can still be written; the write that does not fit is cut, the next one fails.
    """

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.room: int | None = None
        self.calls: Counter[str] = Counter()
        self.synced: list[str] = []

    def _may(self, call: str) -> None:
        self.calls[call] += 1
        if call in self.fail:
            raise OSError(self.fail[call], os.strerror(self.fail[call]))

    def open(self, path: str, *, make: bool) -> int:
        self._may("make" if make else "open")
        return super().open(path, make=make)

    def write(self, descriptor: int, piece: bytes | memoryview, offset: int) -> int:
        self._may("write")
        if self.room is not None:
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            piece = piece[: self.room]
            self.room -= len(piece)
        return super().write(descriptor, piece, offset)

    def cut(self, descriptor: int, size: int) -> None:
        self._may("cut")
        super().cut(descriptor, size)

    def sync(self, descriptor: int) -> None:
        self._may("sync")
        super().sync(descriptor)

    def make_directory(self, path: str) -> bool:
        self._may("make_directory")
        return super().make_directory(path)

    def sync_directory(self, path: str) -> None:
        self._may("sync_directory")
        self.synced.append(path)
        super().sync_directory(path)
