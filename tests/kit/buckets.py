"""Object storage in memory, for tests that are not about reaching one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bridge.outputs.storage import StorageFailed


class Bucket:
    """Remembers what arrived; refuses while `refuses` says why, hangs while `open` is not set."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self.refuses = ""
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, path: Path, key: str, media_type: str) -> str:
        return await self.put_content(await asyncio.to_thread(path.read_bytes), key, media_type)

    async def put_content(self, content: bytes, key: str, media_type: str) -> str:
        await self.open.wait()
        if self.refuses:
            raise StorageFailed(self.refuses)
        self.arrived.append((key, content))
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    async def link(self, key: str, seconds: float) -> str:
        return f"https://bucket.test/{key}"

    async def read(self, key: str, begin: int, end: int) -> AsyncIterator[bytes]:
        yield dict(self.arrived)[key][begin:end]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
