"""Work that goes on by itself: kept until it is done, its failures logged, waited for at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from logging import Logger


class Background:
    """Tasks of one owner. `failed` is what the log says when one of them raises."""

    def __init__(self, log: Logger, failed: str) -> None:
        self._log = log
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin it; nobody needs to wait for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self, but: asyncio.Task[None] | None = None) -> None:
        """Give up what is being done, except that."""
        for task in self._tasks:
            if task is not but:
                task.cancel()

    async def close(self) -> None:
        """Wait for everything, and for what that begins in turn."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("x %s", self._failed, exc_info=error)
