"""One recording on the shelf: who makes its files, and what else is being done for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field

from bridge.outputs.file_making import FileMaking

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ShelvedRecording:
    """On the event loop's thread."""

    id: str
    making: FileMaking | None = None
    work: set[asyncio.Task[None]] = field(default_factory=set)
    """What is being done for it beside."""
    sending: set[asyncio.Task[None]] = field(default_factory=set)
    """Of that, what may be given up at any time."""
    _finishing: asyncio.TimerHandle | None = None

    def begin(
        self, work: Coroutine[object, object, None], among: set[asyncio.Task[None]]
    ) -> asyncio.Task[None]:
        """It is done beside; when it fails, that is said."""
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(lambda done: _ended(among, done))
        return task

    def finish_in(self, seconds: float) -> None:
        """Then its files are made whole, unless it goes on."""
        assert self.making is not None
        self.go_on()
        self._finishing = asyncio.get_running_loop().call_later(seconds, self.making.finish)

    def go_on(self) -> None:
        """Its files are not made whole yet."""
        if self._finishing is not None:
            self._finishing.cancel()
            self._finishing = None

    async def end(self) -> None:
        """Nothing is done for it afterwards. What takes over from another waits for that to be through."""
        self.go_on()
        for task in self.sending:
            task.cancel()
        if self.making is not None:
            await self.making.stop()
        await asyncio.gather(*self.work, *self.sending, return_exceptions=True)


def _ended(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.error("x what follows a recording failed", exc_info=task.exception())
