"""What lies between a simulated call's writer and its socket: nothing, or faults on purpose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bridge.harness.sound import Samples

MessageKind = Literal["start", "media", "dtmf", "playedStream", "clearedAudio"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for the socket."""

    payload: bytes
    binary: bool = False
    """As a binary frame, which the protocol does not know."""


@dataclass(frozen=True, slots=True)
class LineOrders:
    """What is to happen at the socket in this tick, in this order."""

    messages: list[Outgoing] = field(default_factory=list)
    drops: bool = False
    """The connection is lost without a word."""
    redials: bool = False
    """The same call connects again."""
    reads: float | None = None
    """So many messages may be read until the next tick, on top of what was left; None: any number."""


class Line(Protocol):
    """One call's way to the service. `put` what was written, then `tick` once every 20 ms."""

    def payload(self, track: str, frame: Samples) -> bytes:
        """Wire audio of int16 [frame_samples] of one track."""

    def put(self, kind: MessageKind, message: bytes) -> None:
        """One message on its way; a `start` is the first of each connection."""

    def tick(self) -> LineOrders: ...


class ReadGate:
    """Lets a reader through at the pace that a line orders; nobody, until it has."""

    def __init__(self) -> None:
        self._allowed = 0.0
        self._open = asyncio.Event()

    def order(self, reads: float | None) -> None:
        """See `LineOrders.reads`."""
        if reads is None:
            self._allowed = float("inf")
        elif self._allowed == float("inf"):
            self._allowed = reads  # what was allowed before was without number
        else:
            self._allowed += reads
        if self._allowed >= 1:
            self._open.set()
        else:
            self._open.clear()

    async def pass_one(self) -> None:
        """Returns when one more message may be read."""
        await self._open.wait()
        self._allowed -= 1
        if self._allowed < 1:
            self._open.clear()
