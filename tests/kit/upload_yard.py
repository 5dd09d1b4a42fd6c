"""The queue of uploads on a disk, and the storages in memory that it brings files to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.outputs.storage import StorageFailed
from bridge.outputs.upload_job import Target
from bridge.outputs.uploads import Uploads, UploadSettings
from tests.kit.buckets import Bucket, until


class Yard:
    """A queue on a disk, with a clock that only pauses move; `again` is a restart without a goodbye."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main, self.spare = Bucket(), Bucket()
        self.time = 1_000.0
        self.pauses: list[float] = []
        self.own: dict[str, Target] = {}
        self.file = folder / "sound.wav"
        self.file.write_bytes(b"sound")

    async def start(self) -> None:
        self.uploads = Uploads(
            self.folder / "queue",
            {"main": self.main, "spare": self.spare},
            {"main": "spare"},
            UploadSettings(at_a_time=2, own_at_a_time=1, own_in_all=3),
            own=self._open_own,
            sleep=self._sleep,
            now=lambda: self.time,
        )
        await self.uploads.load()

    async def again(self) -> None:
        await self.uploads.close()
        await self.start()

    async def put(self, key: str = "r/sound.wav", recording: str = "r", path: Path | None = None) -> None:
        await self.uploads.put(recording, path or self.file, "main", key, "audio/wav")

    async def until_done(self, recording: str = "r") -> None:
        await until(lambda: self.uploads.is_done(recording))

    async def _open_own(self, recording: str) -> Target:
        if recording not in self.own:
            raise StorageFailed("the keys of the recording's own storage are gone")
        return self.own[recording]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
