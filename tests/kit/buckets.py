"""Object storage in memory, for tests that are not about reaching one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bridge.outputs.storage import StorageFailed


class Bucket:
    """Remembers what arrived; refuses while `refuses` says why, hangs while `open` is not set.

    `stuck`: keys that hang for ever.
    """

    def __init__(self) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self.removed: list[str] = []
        self.stuck: set[str] = set()
        self.refuses = ""
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, path: Path, key: str, media_type: str) -> str:
        return await self.put_content(await asyncio.to_thread(path.read_bytes), key, media_type)

    async def put_content(self, content: bytes, key: str, media_type: str) -> str:
        await self._answer(key)
        self.arrived.append((key, content))
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    async def remove(self, key: str) -> None:
        await self._answer(key)
        self.removed.append(key)

    async def link(self, key: str, seconds: float) -> str:
        return f"https://bucket.test/{key}"

    async def read(self, key: str, begin: int, end: int) -> AsyncIterator[bytes]:
        yield dict(self.arrived)[key][begin:end]

    @property
    def there(self) -> dict[str, bytes]:
        """What lies in it when all that was removed came before."""
        return {key: content for key, content in self.arrived if key not in self.removed}

    async def _answer(self, key: str) -> None:
        await self.open.wait()
        if key in self.stuck:
            await asyncio.Event().wait()
        if self.refuses:
            raise StorageFailed(self.refuses)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
