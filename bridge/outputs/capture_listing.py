"""What captures there are, for those who may have them; does not block the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.legs.capture_file_wire import CaptureReader
from bridge.legs.capture_wire import BadCapture, Head
from bridge.outputs.capture_files import CaptureFiles
from bridge.outputs.capture_shelf import CaptureEntry

HEAD_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class CaptureLook:
    """A capture as its owner sees it; words are empty where the head cannot be read."""

    id: str
    path: Path
    bytes: int
    live: bool
    kept_by: str = ""
    stream_id: str = ""
    call_id: str = ""
    room_id: str = ""
    participant_id: str = ""
    began_at: float = 0.0
    """Unix seconds."""


class CaptureListing:
    """Over the captures that are written now, and those that were."""

    def __init__(self, files: CaptureFiles) -> None:
        self._files = files

    async def looks(self, owner: str, limit: int, offset: int) -> tuple[Sequence[CaptureLook], int]:
        """A page of an owner's captures, the newest first, and how many there are."""
        return await asyncio.to_thread(self._looks, owner, limit, offset)

    async def find(self, owner: str, capture_id: str) -> CaptureLook | None:
        """None when the owner has none of that id."""
        return await asyncio.to_thread(self._find, owner, capture_id)

    async def delete(self, owner: str, capture_id: str) -> bool:
        """False when there was none. Raises OSError."""
        return await asyncio.to_thread(self._files.shelf.delete, owner, capture_id)

    def _looks(self, owner: str, limit: int, offset: int) -> tuple[Sequence[CaptureLook], int]:
        entries = self._files.shelf.entries(owner)
        return [self._look(entry) for entry in entries[offset : offset + limit]], len(entries)

    def _find(self, owner: str, capture_id: str) -> CaptureLook | None:
        entry = self._files.shelf.find(owner, capture_id)
        return None if entry is None else self._look(entry)

    def _look(self, entry: CaptureEntry) -> CaptureLook:
        live, head = self._files.is_live(entry.id), _head(entry.path)
        if head is None:
            return CaptureLook(entry.id, entry.path, entry.bytes, live)
        return CaptureLook(
            entry.id,
            entry.path,
            entry.bytes,
            live,
            head.place,
            head.stream_id,
            head.call_id,
            head.about.get("room", ""),
            head.about.get("participant", ""),
            head.began_unix_ms / 1000,
        )


def _head(path: Path) -> Head | None:
    reader = CaptureReader()
    try:
        with path.open("rb") as file:
            next(reader.feed(file.read(HEAD_BYTES)), None)
    except (OSError, BadCapture):
        return None
    return reader.head
