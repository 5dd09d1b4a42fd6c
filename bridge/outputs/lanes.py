"""Whoever wants the same thing takes turns: so many at a time for each name; no name waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    users: int = 0


class Lanes:
    """On one event loop. A lane is there as long as somebody uses it or waits for it."""

    def __init__(self, at_a_time: int) -> None:
        """`at_a_time`: in each lane."""
        self._at_a_time = at_a_time
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def lane(self, name: str) -> AsyncIterator[None]:
        """Waits for its turn; who came first goes first."""
        lane = self._lanes.setdefault(name, _Lane(asyncio.Semaphore(self._at_a_time)))
        lane.users += 1
        try:
            async with lane.slots:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]
