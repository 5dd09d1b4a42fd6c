"""The system calls by which logs get onto a disk: one seam, where tests let a disk fail."""

from __future__ import annotations

import fcntl
import os


class Disk:
    """Each method is one call of the system, and raises OSError as that does."""

    def open(self, path: str, *, make: bool) -> int:
        """For reading and writing; `make`: a new file, FileExistsError when there is one."""
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags | (os.O_CREAT | os.O_EXCL if make else 0), 0o600)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def lock(self, descriptor: int) -> None:
        """For this process alone; BlockingIOError when another one has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        return os.pread(descriptor, length, offset)

    def write(self, descriptor: int, piece: bytes | memoryview, offset: int) -> int:
        """Gives how much was taken."""
        return os.pwrite(descriptor, piece, offset)

    def cut(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def same(self, path: str, descriptor: int) -> bool:
        """Whether the open file is still the one of that name."""
        try:
            there = os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def size(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_size

    def make_directory(self, path: str) -> bool:
        """False when it is there already. FileNotFoundError when what it is to be made in is not there."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return False
        return True

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
