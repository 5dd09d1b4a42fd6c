"""A shelf without disks: remembers what it was asked for, and holds the files that a test puts on it."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass, field
from pathlib import Path

from bridge.core.ports import OutputFile
from bridge.errors import BadInput, NoRoom
from bridge.recordings import RecordingWishes


@dataclass
class MemoryShelf:
    """`unsettled` keeps `settle` from being done, `full` refuses what is begun."""

    cut_off: list[str] = field(default_factory=list)
    followed: dict[str, RecordingWishes] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    stock: dict[str, list[OutputFile]] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    unsettled: bool = False
    full: bool = False
    stuck: set[str] = field(default_factory=set)
    """What cannot be removed."""
    remove_waits: asyncio.Event | None = None

    async def adopt(self) -> list[str]:
        return self.cut_off

    def check(self, storage: str) -> None:
        if storage not in ("", "bucket"):
            raise BadInput(f"there is no storage {storage}")

    async def check_room(self) -> None:
        if self.full:
            raise NoRoom("the disk of the recordings is full")

    def follow(self, recording: str, formats: tuple[str, ...], participants: bool, storage: str) -> None:
        self.followed[recording] = RecordingWishes(formats, participants, storage)  # type: ignore[arg-type]
        self.resting.discard(recording)

    async def resume(
        self, recording: str, formats: tuple[str, ...], participants: bool, storage: str
    ) -> None:
        self.follow(recording, formats, participants, storage)
        self.rest(recording)

    def rest(self, recording: str) -> None:
        self.resting.add(recording)

    async def settle(self, recording: str, within_s: float) -> bool:
        return not self.unsettled

    def trouble(self, recording: str) -> str:
        return self.troubles.get(recording, "")

    def files(self, recording: str) -> list[OutputFile]:
        return self.stock.get(recording, [])

    def file(self, recording: str, name: str) -> OutputFile | None:
        return next((one for one in self.files(recording) if one.name == name and one.size), None)

    def manifest(self, recording: str) -> bytes | None:
        return self.manifests.get(recording)

    async def remove(self, recording: str) -> None:
        if recording in self.stuck:
            raise PermissionError(errno.EACCES, "permission denied")
        if self.remove_waits is not None:
            await self.remove_waits.wait()
        self.followed.pop(recording, None)
        self.stock.pop(recording, None)
        self.removed.append(recording)

    def put(
        self, recording: str, path: Path, media_type: str, *, complete: bool = True, name: str = "",
        state: str = "",
    ) -> None:  # fmt: skip
        """A file of that recording, as it lies at `path` now."""
        made = OutputFile(name or path.name, path, media_type, complete, path.stat().st_size, state)
        self.stock.setdefault(recording, []).append(made)
