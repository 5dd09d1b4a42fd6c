"""Sources for players of which a test decides what comes and when: letters, each of which is a tone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bridge.core.ports import PlayerSource
from bridge.errors import BridgeError


@dataclass
class Tape:
    """A supply that gives `runs`, letter by letter; `failure` follows, where there is one."""

    runs: list[str]
    paced: bool = True
    ends: bool = True
    failure: BridgeError | None = None
    size: int | None = None
    _at: int = -1

    async def next_run(self) -> bool:
        self._at += 1
        self._given = 0
        if self._at >= len(self.runs) and self.failure is not None:
            raise self.failure
        return self._at < len(self.runs)

    async def read(self, at: int, count: int) -> bytes:
        piece = self.runs[self._at][self._given : self._given + count]
        self._given += len(piece)
        if not piece and self.failure is not None and self._at == len(self.runs) - 1:
            raise self.failure
        return piece.encode()


@dataclass
class LiveTape:
    """A supply whose letters come when the test says so; None ends it."""

    coming: asyncio.Queue[str | BridgeError | None] = field(default_factory=asyncio.Queue)
    paced: bool = False
    ends: bool = False
    size: None = None
    _begun: bool = False

    async def next_run(self) -> bool:
        begun, self._begun = self._begun, True
        return not begun

    async def read(self, at: int, count: int) -> bytes:
        piece = await self.coming.get()
        if isinstance(piece, BridgeError):
            raise piece
        return (piece or "").encode()


class Shelf:
    """Opens the next of its tapes each time; the last one again and again."""

    def __init__(self, *tapes: Tape | LiveTape | BridgeError) -> None:
        self.tapes = list(tapes)
        self.opened = 0

    @asynccontextmanager
    async def __call__(self, source: PlayerSource) -> AsyncIterator[Tape | LiveTape]:
        tape = self.tapes[min(self.opened, len(self.tapes) - 1)]
        self.opened += 1
        if isinstance(tape, BridgeError):
            raise tape
        if isinstance(tape, Tape):
            tape._at = -1
        yield tape
