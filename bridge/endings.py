"""Ends conferences in time: one timer for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 60.0
"""The wall clock may be set: nobody sleeps longer than this towards an end."""
TRY_AGAIN_S = 5.0


class Endings:
    """`end_due` ends what is due and gives the seconds to the next end, or None."""

    def __init__(self, end_due: Callable[[], Awaitable[float | None]]) -> None:
        self._end_due = end_due
        self._sooner = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on, until `close`."""
        self._task = asyncio.create_task(self._run(), name="conference endings")

    def look_again(self) -> None:
        """There may be a sooner end than the one waited for."""
        self._sooner.set()

    async def close(self) -> None:
        """Stop. May be called twice, or without `start`."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self._sooner.clear()
            try:
                due_in = await self._end_due()
            except Exception:
                log.exception("x a conference could not be ended; tried again in %.0f s", TRY_AGAIN_S)
                due_in = TRY_AGAIN_S
            wait_s = LOOK_AGAIN_S if due_in is None else min(max(due_in, 0.0), LOOK_AGAIN_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._sooner.wait()
