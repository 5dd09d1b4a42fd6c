"""Bringing a live stream's files to where they are given out from: tries that end, and what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from bridge.outputs.back_off import BackOff, Failures

log = logging.getLogger(__name__)


class StreamPlace(Protocol):
    """`bridge.outputs.published_streams.PublishedStream`: where a stream's files are given out from."""

    async def put(self, path: Path) -> None:
        """Back when it is there. Raises OSError when not, FileNotFoundError when there is no such file."""

    def shown(self, files: Collection[str], grace_s: float) -> None:
        """The playlists that are there now name these; others may still be asked for that long."""


class PlaceTries:
    """Of one stream, on the event loop's thread."""

    def __init__(
        self,
        place: StreamPlace,
        try_s: float,
        on_trouble: Callable[[str], None],
        back_off: BackOff | None = None,
    ) -> None:
        """`try_s`: so long a try may take. `on_trouble` is told what is wrong, and "" when it is over."""
        self.try_s = try_s
        self.back_off = back_off or BackOff()
        self._place = place
        self._on_trouble = on_trouble
        self._troubles: dict[str, str] = {}
        """File → why it is not there."""
        self._told = ""

    @property
    def trouble(self) -> str:
        """Of now; empty: none."""
        return next(iter(self._troubles.values()), "")

    async def bring(self, path: Path) -> bool:
        """Until it is there: nothing may be named that is not. False when it was deleted meanwhile."""
        failures = Failures(self.back_off)
        try:
            while not await self.try_once(path):  # noqa: ASYNC110 - a pause between tries, not a look
                await asyncio.sleep(failures.failed())
        except FileNotFoundError:
            return False
        finally:
            self.say(path.name, "")
        return True

    async def try_once(self, path: Path) -> bool:
        """Whether it is there now. Raises FileNotFoundError."""
        try:
            async with asyncio.timeout(self.try_s):
                await self._place.put(path)
        except FileNotFoundError:
            raise
        except TimeoutError:
            why = "it did not answer in time"
        except OSError as error:
            why = error.strerror or "no reason given"
        else:
            self.say(path.name, "")
            return True
        self.say(path.name, f"the storage does not take it: {why}")
        return False

    def say(self, about: str, trouble: str) -> None:
        """What is wrong with that file, or that nothing is."""
        if trouble:
            self._troubles[about] = trouble
        else:
            self._troubles.pop(about, None)
        if self.trouble != self._told:
            self._told = self.trouble
            if self._told:
                log.error("x a live stream's file: %s", self._told)
            self._on_trouble(self._told)
