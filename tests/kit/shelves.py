"""A shelf without disks: remembers what it was asked for, and holds the files that a test puts on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from bridge.recordings import RecordedFile, RecordingWishes


@dataclass
class MemoryShelf:
    """`unsettled` keeps `settle` from being done."""

    cut_off: list[str] = field(default_factory=list)
    followed: dict[str, RecordingWishes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    stock: dict[str, list[RecordedFile]] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    unsettled: bool = False
    remove_waits: asyncio.Event | None = None

    async def adopt(self) -> list[str]:
        return self.cut_off

    def follow(self, recording_id: str, wishes: RecordingWishes) -> None:
        self.followed[recording_id] = wishes

    async def settle(self, recording_id: str, within_s: float) -> bool:
        return not self.unsettled

    def files(self, recording_id: str) -> list[RecordedFile]:
        return self.stock.get(recording_id, [])

    def manifest(self, recording_id: str) -> bytes | None:
        return self.manifests.get(recording_id)

    async def remove(self, recording_id: str) -> None:
        if self.remove_waits is not None:
            await self.remove_waits.wait()
        self.followed.pop(recording_id, None)
        self.stock.pop(recording_id, None)
        self.removed.append(recording_id)

    def put(self, recording_id: str, path: Path, media_type: str, *, complete: bool = True) -> None:
        """A file of that recording, as it lies at `path` now."""
        made = RecordedFile(path.name, path, media_type, complete, path.stat().st_size)
        self.stock.setdefault(recording_id, []).append(made)
