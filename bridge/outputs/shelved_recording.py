"""One recording on the shelf: who makes its files, and what else is being done for it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from bridge.background import Background
from bridge.outputs.file_making import FileMaking

log = logging.getLogger(__name__)


def _background() -> Background:
    return Background(log, "what follows a recording failed")


@dataclass(slots=True)
class ShelvedRecording:
    """On the event loop's thread."""

    id: str
    making: FileMaking | None = None
    work: Background = field(default_factory=_background)
    """What is being done for it beside."""
    sending: Background = field(default_factory=_background)
    """The same, but what may be given up at any time."""
    _finishing: asyncio.TimerHandle | None = None

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
        self.sending.cancel()
        if self.making is not None:
            await self.making.stop()
        await self.through()

    async def through(self) -> None:
        """Wait for what is being done."""
        await self.sending.close()  # it may begin further work, and not the other way round
        await self.work.close()
