"""A recording on a disk, and what sends it to a storage: time passes only when it is told to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.uploads import Uploads
from tests.kit.buckets import Bucket

ID = "recording-1"


class Place:
    """A recording on a disk, and what sends it; time passes only by `pass_time`."""

    def __init__(self, root: Path) -> None:
        self.root = root / "recordings"
        self.directory = self.root / ID
        (self.directory / "log").mkdir(parents=True)
        (self.directory / "log" / "000000.rec").write_bytes(b"log")
        self.queue = root / "uploads"
        self.bucket = Bucket()
        self.keep_s: float | None = None
        self.pause_s = 0.0
        self.time = 1_000.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    async def start(self) -> None:
        self.uploads = Uploads(
            self.queue,
            {"main": self.bucket},
            now=lambda: self.time,
            sleep=lambda seconds: asyncio.sleep(0.01),
        )
        await self.uploads.load()
        self.storage = ShelfStorage(
            self.root,
            self.uploads,
            ("main",),
            keep_s=self.keep_s,
            pause_s=self.pause_s,
            now=lambda: self.time,
            sleep=self._sleep,
        )

    async def stop(self) -> None:
        await self.storage.close()
        await self.uploads.close()

    async def again(self) -> None:
        await self.stop()
        await self.start()

    def write(self, name: str, content: bytes) -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".new.part")
        part.write_bytes(content)
        part.replace(path)
        return name

    def make(self, *names: str) -> list[str]:
        """Files, and the manifest that names them."""
        for name in names:
            self.write(f"files/{name}", f"content of {name}".encode())
        files = [{"name": f"files/{name}", "sha256": ""} for name in names]
        self.write("manifest.json", json.dumps({"files": files}).encode())
        return [*(f"files/{name}" for name in names), "manifest.json"]

    @property
    def keys(self) -> list[str]:
        """What arrived, in order."""
        return [key.removeprefix(f"{ID}/") for key, _ in self.bucket.arrived]

    async def all_sent(self, *names: str) -> None:
        self.storage.begin(ID, "")
        await self.storage.send(ID, self.make(*names))
        await self.storage.done(ID)

    async def pass_time(self, seconds: float) -> None:
        await settled()
        self.time += seconds
        due = [event for then, event in self.sleepers if then <= self.time]
        self.sleepers = [(then, event) for then, event in self.sleepers if then > self.time]
        for event in due:
            event.set()
        await settled()

    async def _sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self.sleepers.append((self.time + seconds, event))
        await event.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0.005)
