"""Media files of this machine, below directories that the operator allows; nothing else of it is opened."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.legs.player_supply import Supply, SupplyRefused

_MOST_CHARACTERS = 1_000
_MOST_PARTS = 32
_MOST_AT_ONCE = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class FileSupply:
    """One run; any byte can be read."""

    paced = True
    ends = True

    def __init__(self, descriptor: int) -> None:
        """The descriptor stays its owner's to close."""
        self._descriptor = descriptor
        self._begun = False
        self.size = os.fstat(descriptor).st_size

    async def next_run(self) -> bool:
        """There is only one."""
        begun, self._begun = self._begun, True
        return not begun

    async def read(self, at: int, count: int) -> bytes:
        """Bytes from there; off the loop, since disks can be slow."""
        if not 0 <= at < self.size:
            return b""
        return await asyncio.to_thread(os.pread, self._descriptor, min(count, _MOST_AT_ONCE), at)


@asynccontextmanager
async def file_supply(directories: Sequence[Path], name: str) -> AsyncIterator[Supply]:
    """The file of that name below the first directory that has it. Raises SupplyRefused."""
    descriptor = await asyncio.to_thread(open_below, directories, name)
    try:
        yield FileSupply(descriptor)
    finally:
        os.close(descriptor)


def open_below(directories: Sequence[Path], name: str) -> int:
    """A descriptor to read from. Raises SupplyRefused.

    Every part of the path is opened by itself, from the one before, and no symbolic link is followed: what
    the path means cannot change between looking and opening.
    """
    parts = parts_of(name)
    if not directories:
        raise SupplyRefused("no files are played here: players.directories is empty")
    for directory in directories:
        try:
            return _walk(directory, parts)
        except OSError:
            continue
    raise SupplyRefused("there is no such file below players.directories")


def parts_of(name: str) -> list[str]:
    """A relative path's parts. Raises SupplyRefused for what is none."""
    parts = name.split("/")
    if not name or len(name) > _MOST_CHARACTERS or len(parts) > _MOST_PARTS or "\0" in name:
        raise SupplyRefused("this is no file's name")
    if any(part in ("", ".", "..") for part in parts):
        raise SupplyRefused("a file is named by its path below one of players.directories")
    return parts


def _walk(directory: Path, parts: Sequence[str]) -> int:
    """Raises OSError, for a thing that is no plain file too."""
    here = os.open(directory, _DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        descriptor = os.open(parts[-1], _FILE, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError
    return descriptor
