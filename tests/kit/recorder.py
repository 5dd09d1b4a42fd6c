"""A WebSocket's receiver that keeps everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.sockets import Socket


class Recorder:
    """Answers, if it is given `on_message`."""

    def __init__(self, on_message: Callable[[Socket, bytes], None] | None = None) -> None:
        self.socket: Socket
        self.messages: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.ends: list[tuple[int, str]] = []
        self.open = asyncio.Event()
        self.over = asyncio.Event()
        self._on_message = on_message

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self.open.set()

    def received(self, message: bytes, is_text: bool) -> None:
        self.messages.put_nowait((message, is_text))
        if self._on_message is not None:
            self._on_message(self.socket, message)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.over.set()

    async def end(self) -> tuple[int, str]:
        """Code and reason, told once."""
        async with asyncio.timeout(5):
            await self.over.wait()
        assert len(self.ends) == 1
        return self.ends[0]
