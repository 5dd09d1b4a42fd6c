"""A conference that is recorded on a real server, and an S3 storage that its files go to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.kit.object_storage import ACCESS_KEY, BUCKET, SECRET_KEY, ObjectStorage
from tests.kit.running_bridge import RunningBridge

STORAGES_HERE = {
    "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true",
    "MEDIABRIDGE_RECORDINGS_STORAGE_ENDPOINTS": "127.0.0.1",
}
"""For a server whose requests may name storages on this machine."""


def settings(folder: Path, there: ObjectStorage, more: str = "") -> list[str]:
    """A configuration with that storage."""
    file = folder / "bridge.toml"
    file.write_text(
        f"""
{more}
[[storage]]
name = "main"
bucket = "{BUCKET}"
prefix = "calls"
endpoint = "{there.endpoint}"
access_key = "{ACCESS_KEY}"
secret_key = "{SECRET_KEY}"
"""
    )
    return ["--config", str(file)]


class Meeting:
    """A conference that is recorded; nobody needs to say anything."""

    def __init__(self, bridge: RunningBridge, conference: str) -> None:
        self.bridge, self.conference = bridge, conference
        self.base = f"/{bridge.application}/{conference}"

    @classmethod
    async def open(cls, bridge: RunningBridge) -> Meeting:
        return cls(bridge, await bridge.open_conference("Storage"))

    async def start(self, **body: Any) -> httpx.Response:
        return await self.bridge.call("POST", f"{self.base}/recording/start", json=body)

    async def stop(self) -> None:
        answer = await self.bridge.call("POST", f"{self.base}/recording/stop", json={})
        assert answer.status_code == 200, answer.text

    async def get(self, below: str, **headers: str) -> httpx.Response:
        token = {"Authorization": f"Bearer {self.bridge.token}"}
        async with httpx.AsyncClient(base_url=self.bridge.base, timeout=20) as http:
            return await http.get(f"{self.base}/recording{below}", headers=token | headers)

    async def manifest(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while (answer := await self.get("/manifest")).status_code != 200:  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.1)
        read: dict[str, Any] = answer.json()
        return read

    async def record(self, seconds: float, **body: Any) -> dict[str, Any]:
        """For so long, then the manifest."""
        answer = await self.start(**body)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(seconds)
        await self.stop()
        return await self.manifest()


async def until(happened: Callable[[], bool], within_s: float = 40) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(happened):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.1)


def wanted_of(manifest: dict[str, Any], prefix: str) -> dict[str, str]:
    """Key → SHA-256, of all files."""
    recording = manifest["recording"]
    return {
        f"{prefix}/{recording}/{one['name'].removeprefix('files/')}": one["sha256"]
        for one in manifest["files"]
    }


def sums(there: ObjectStorage) -> dict[str, str]:
    """Key → SHA-256, of everything but manifests."""
    return {
        key: hashlib.sha256(content).hexdigest()
        for key, content in there.contents().items()
        if not key.endswith("manifest.json")
    }


def left_in(folder: Path) -> list[Path]:
    """What a server still has of recordings and uploads."""
    found = []
    for name in ("recordings", "uploads"):
        with suppress(FileNotFoundError):
            found += [path for path in (folder / "data" / name).rglob("*")]
    return found
