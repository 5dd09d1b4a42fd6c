"""The obvious simulated caller, for comparison: `websockets`, `json`, base64 and a task with a sleep.

A connection and two tasks for each call. One sends 20 ms of sound every 20 ms; the other reads what comes,
and keeps its sound. Nothing is played, watched or measured. `harness_load.py` runs it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect


class ObviousCaller:
    """One call, for so many ticks of 20 ms; `late` is told how late each was."""

    def __init__(self, url: str, frames: Sequence[bytes], ticks: int, late: Callable[[float], None]) -> None:
        self._url = url
        self._frames = frames
        self._ticks = ticks
        self._late = late
        self.heard: list[bytes] = []

    async def run(self) -> None:
        async with connect(self._url, compression=None, max_size=None) as socket:
            reading = asyncio.ensure_future(self._read(socket))
            await self._send(socket)
            reading.cancel()

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            event = json.loads(message)
            if event["event"] == "playAudio":
                self.heard.append(base64.b64decode(event["media"]["payload"]))

    async def _send(self, socket: ClientConnection) -> None:
        stream_id = str(uuid.uuid4())
        start = {
            "callId": str(uuid.uuid4()),
            "streamId": stream_id,
            "accountId": "MA",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16_000},
        }
        await socket.send(
            json.dumps({"event": "start", "sequenceNumber": 1, "start": start, "extra_headers": ""})
        )
        due = time.monotonic()
        for tick in range(self._ticks):
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._late(max(0.0, time.monotonic() - due))
            media = {
                "track": "inbound",
                "timestamp": str(time.time_ns() // 1_000_000),
                "chunk": tick + 1,
                "payload": base64.b64encode(self._frames[tick % len(self._frames)]).decode(),
            }
            message = {
                "event": "media",
                "sequenceNumber": tick + 2,
                "streamId": stream_id,
                "media": media,
                "extra_headers": "",
            }
            await socket.send(json.dumps(message))
