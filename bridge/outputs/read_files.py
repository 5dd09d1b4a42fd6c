"""Files that many ask for at once: read once, and kept in memory while they are asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Final

KEPT_BYTES: Final = 64 << 20
"""Of all files together, those asked for last; the same bytes go to all who ask."""


class ReadFiles:
    """On the event loop's thread; they are read in others. No file changes under its name."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._files: OrderedDict[Path, bytes] = OrderedDict()
        self._reading: dict[Path, asyncio.Future[bytes]] = {}
        self.bytes = 0
        """Kept now."""

    async def content(self, path: Path) -> bytes:
        """Raises OSError."""
        content = self._files.get(path)
        if content is not None:
            self._files.move_to_end(path)
            return content
        reading = self._reading.get(path)
        if reading is None:
            loop = asyncio.get_running_loop()
            self._reading[path] = reading = loop.run_in_executor(None, path.read_bytes)
            reading.add_done_callback(lambda done: self._read(path, done))
        # Whoever gives up waiting must not take it away from the others.
        return await asyncio.shield(reading)

    def forget(self, path: Path) -> None:
        """It is deleted: whoever waits for it still gets it, and nobody later."""
        self._reading.pop(path, None)
        self.bytes -= len(self._files.pop(path, b""))

    def forget_all(self, directory: Path) -> None:
        """What lies there is deleted."""
        for path in [path for path in (*self._files, *self._reading) if path.parent == directory]:
            self.forget(path)

    def _read(self, path: Path, done: asyncio.Future[bytes]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if self._reading.get(path) is not done:
            return  # it was forgotten meanwhile
        del self._reading[path]
        if failed:
            return
        self._files[path] = done.result()
        self.bytes += len(done.result())
        while self.bytes > self._most_bytes and len(self._files) > 1:
            self.forget(next(iter(self._files)))
