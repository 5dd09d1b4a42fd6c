"""The folder with captures: private, bounded, and swept. Blocks; not for the event loop's thread.

A capture's file is named by its owner's id and its own. Nobody but the server's own user can read it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.legs.capture_file_wire import SUFFIX

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME = re.compile(rf"({_ID.pattern})_({_ID.pattern}){re.escape(SUFFIX)}")
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """What captures may take."""

    bytes_each: int = 200 * 1024 * 1024
    bytes_total: int = 5 * 1024 * 1024 * 1024
    days: float = 7.0


@dataclass(frozen=True, slots=True)
class CaptureEntry:
    """A file."""

    id: str
    owner: str
    path: Path
    bytes: int
    changed_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did."""

    deleted: int
    bytes: int
    """What is there now."""


class CaptureShelf:
    """See the module's docstring."""

    def __init__(self, directory: Path, limits: CaptureLimits) -> None:
        """Makes the folder. Raises ConfigError when it cannot be used, or when others may look into it."""
        self.directory = directory
        self.limits = limits
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            seen = directory.stat()
        except OSError as wrong:
            raise ConfigError(f"captures.directory cannot be used: {wrong.strerror}") from None
        if seen.st_mode & 0o077 or seen.st_uid != os.geteuid():
            raise ConfigError("captures.directory must be the server's own and closed to others (chmod 700)")
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigError("captures.directory cannot be written to")

    def create(self, owner: str, capture_id: str) -> int:
        """A new file, open for writing. Raises OSError, ValueError for what is no id."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._path(owner, capture_id), flags, 0o600)

    def find(self, owner: str, capture_id: str) -> CaptureEntry | None:
        """That owner's capture of that id."""
        return next((one for one in self.entries(owner) if one.id == capture_id), None)

    def entries(self, owner: str | None = None) -> list[CaptureEntry]:
        """All captures, or one owner's; those that were changed last come first."""
        found = []
        try:
            with os.scandir(self.directory) as listed:
                for file in listed:
                    name = _NAME.fullmatch(file.name)
                    if (
                        name is None
                        or owner not in (None, name[1])
                        or not file.is_file(follow_symlinks=False)
                    ):
                        continue
                    try:
                        seen = file.stat(follow_symlinks=False)
                    except FileNotFoundError:  # it was deleted meanwhile
                        continue
                    found.append(CaptureEntry(name[2], name[1], Path(file.path), seen.st_size, seen.st_mtime))
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda one: (one.changed_at, one.id), reverse=True)

    def delete(self, owner: str, capture_id: str) -> bool:
        """False when there is none. Raises OSError."""
        entry = self.find(owner, capture_id)
        if entry is None:
            return False
        entry.path.unlink(missing_ok=True)
        return True

    def sweep(self, now: float, live: Collection[str]) -> Swept:
        """Delete what is too old, then the oldest until the rest fits; `live` are ids not to be touched.

        `now` in Unix seconds. What cannot be deleted stays.
        """
        oldest_first = self.entries()[::-1]
        total = sum(one.bytes for one in oldest_first)
        deleted = 0
        for one in oldest_first:
            if one.id in live:
                continue
            if one.changed_at > now - self.limits.days * DAY_S and total <= self.limits.bytes_total:
                break
            try:
                one.path.unlink(missing_ok=True)
            except OSError:
                continue
            deleted += 1
            total -= one.bytes
        return Swept(deleted, total)

    def _path(self, owner: str, capture_id: str) -> Path:
        if not _ID.fullmatch(owner) or not _ID.fullmatch(capture_id):
            raise ValueError("a capture is named by ids")
        return self.directory / f"{owner}_{capture_id}{SUFFIX}"
