"""A call that only listens and keeps the bridge's frames as they come, whenever they come.

No playout stands between: what is in here was in the stream, however late the test's process read it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bridge.harness.plivo_caller import new_call
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.plivo_play_wire import Checkpoint, PlayAudio, read_from_service
from tests.kit.tones import click_score, level_of

RATE_HZ = 16_000
FRAME = RATE_HZ // 50


class FrameEar:
    """`async with FrameEar(url) as ear`; it only says `start` and what it played."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection
        self._reading: asyncio.Task[None]
        self._writer = CallWriter(new_call())
        self._more = asyncio.Event()
        self.frames: list[NDArray[np.int16]] = []
        self.arrivals: list[float] = []
        self.closed_with: int | None = None

    async def __aenter__(self) -> FrameEar:
        self._socket = await connect(self._url, compression=None, proxy=None)
        await self._socket.send(self._writer.start(), text=True)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._reading

    async def next(
        self, seconds: float, since: int | None = None, timeout: float = 20.0
    ) -> NDArray[np.int16]:
        """At least `seconds` from the frame `since` (the next one) to the latest: int16 [n]."""
        since = len(self.frames) if since is None else since
        async with asyncio.timeout(timeout + seconds):
            while len(self.frames) < since + round(50 * seconds):
                self._more.clear()
                await self._more.wait()
        return np.concatenate(self.frames[since:])

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for message in self._socket:
                match read_from_service(message):
                    case PlayAudio(media):
                        self.frames.append(np.frombuffer(media.payload, "<i2"))
                        self.arrivals.append(loop.time())
                        self._more.set()
                    case Checkpoint(name):
                        await self._socket.send(self._writer.played(name), text=True)
        except ConnectionClosed:
            pass
        self.closed_with = self._socket.close_code


def faults(samples: NDArray[np.int16], frequency_hz: float) -> tuple[int, float]:
    """In a recording of one steady tone: how many frames are weaker than the rest, and the worst click."""
    levels = np.array(
        [
            level_of(frame, RATE_HZ, frequency_hz)
            for frame in samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        ]
    )
    return int((levels < 0.7 * np.median(levels)).sum()), click_score(samples, RATE_HZ, frequency_hz)
