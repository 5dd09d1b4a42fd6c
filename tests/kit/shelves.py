"""A shelf without disks: remembers what it was asked for, and holds the files that a test puts on it."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import msgspec

from bridge.core.ports import GivenStorage, OutputFile, WantedFiles
from bridge.errors import BadInput, NoRoom
from bridge.picture_wishes import FilePictureWishes
from bridge.recording_wishes import FileFormat, RecordingWishes, WhomWishes
from bridge.shelf_port import AwayFile


@dataclass
class MemoryShelf:
    """`unsettled` keeps `settle` from being done, `full` refuses what is begun."""

    cut_off: list[str] = field(default_factory=list)
    followed: dict[str, RecordingWishes] = field(default_factory=dict)
    """What would have asked for the files that are made of each."""
    resting: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    stock: dict[str, list[OutputFile]] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    settled_manifests: dict[str, bytes] = field(default_factory=dict)
    """What will be in them once the files have everything."""
    troubles: dict[str, str] = field(default_factory=dict)
    unsettled: bool = False
    full: bool = False
    h264: bool = True
    stuck: set[str] = field(default_factory=set)
    """What cannot be removed."""
    remove_waits: asyncio.Event | None = None
    own: dict[str, GivenStorage] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    """Recordings that are in their storage only."""
    over: set[str] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything is where it is sent."""
    known: list[str] | None = None
    away_stock: dict[tuple[str, str], AwayFile] = field(default_factory=dict)

    async def adopt(self) -> list[str]:
        return self.cut_off

    async def check(self, wanted: WantedFiles, storage: str | GivenStorage) -> None:
        if not wanted.sound and not self.h264:
            raise BadInput("H.264 is switched off")
        if isinstance(storage, str) and storage not in ("", "bucket"):
            raise BadInput(f"there is no storage {storage}")
        if isinstance(storage, GivenStorage) and storage.bucket == "refused":
            raise BadInput("`storage.bucket` is refused")

    async def keep_storage(self, recording: str, given: GivenStorage) -> None:
        self.own[recording] = given

    async def own_storage(self, recording: str) -> GivenStorage | None:
        return self.own.get(recording)

    def sends(self, storage: str) -> bool:
        return bool(storage)

    async def take_back(self, recording: str) -> bool:
        return recording not in self.left

    async def through(self, recording: str) -> None:
        await self.arrived.wait()

    async def forget_others(self, recordings: Iterable[str]) -> None:
        self.known = list(recordings)

    def away(self, recording: str, name: str) -> AwayFile | None:
        return self.away_stock.get((recording, name))

    async def check_room(self) -> None:
        if self.full:
            raise NoRoom("the disk of the recordings is full")

    def follow(self, recording: str, wanted: WantedFiles, storage: str) -> None:
        picture, heard, seen = wanted.picture, wanted.heard, wanted.seen
        self.followed[recording] = RecordingWishes(
            cast(tuple[FileFormat, ...], wanted.formats), wanted.participants, storage,
            wanted.codec, wanted.bitrate, wanted.channels, wanted.sound,
            None if picture is None else msgspec.convert(asdict(picture), FilePictureWishes),
            WhomWishes(heard.only, heard.without),
            None if seen == heard else WhomWishes(seen.only, seen.without),
            wanted.segment_s,
        )  # fmt: skip
        self.resting.discard(recording)

    async def resume(self, recording: str, wanted: WantedFiles, storage: str) -> None:
        self.follow(recording, wanted, storage)
        self.rest(recording)

    def rest(self, recording: str, over: bool = False) -> None:
        self.resting.add(recording)
        if over:
            self.over.add(recording)

    async def settle(self, recording: str, within_s: float) -> bool:
        if not self.unsettled and recording in self.settled_manifests:
            self.manifests[recording] = self.settled_manifests[recording]
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
        self.own.pop(recording, None)
        self.removed.append(recording)

    def put(
        self, recording: str, path: Path, media_type: str, *, complete: bool = True, name: str = "",
        state: str = "",
    ) -> None:  # fmt: skip
        """A file of that recording, as it lies at `path` now."""
        made = OutputFile(name or path.name, path, media_type, complete, path.stat().st_size, state)
        self.stock.setdefault(recording, []).append(made)
