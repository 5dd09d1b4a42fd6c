"""The obvious Plivo mixer, to measure against: one queue and one loop iteration per participant.

`websockets`' own asyncio server, `json` and `base64`, a deque of NumPy frames for each caller, and a tick
that walks over rooms and callers. No playout buffer, no gate, no limiter, no acknowledgements: less than
the bridge does. Callers connect to `ws://host:port/<room>`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import time
from collections import defaultdict, deque

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

RATE_HZ = 16_000
FRAME = RATE_HZ // 50


class Caller:
    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.frames: deque[np.ndarray] = deque(maxlen=50)


ROOMS: dict[str, list[Caller]] = defaultdict(list)


async def receive(socket: ServerConnection) -> None:
    assert socket.request is not None
    room = ROOMS[socket.request.path]
    caller = Caller(socket)
    room.append(caller)
    try:
        async for message in socket:
            event = json.loads(message)
            if event["event"] == "media":
                payload = base64.b64decode(event["media"]["payload"])
                caller.frames.append(np.frombuffer(payload, "<i2").astype(np.float32))
    finally:
        room.remove(caller)


async def tick() -> None:
    silence = np.zeros(FRAME, np.float32)
    due = time.monotonic()
    while True:
        due += 0.02
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for room in ROOMS.values():
            heard = [caller.frames.popleft() if caller.frames else silence for caller in room]
            if not heard:
                continue
            total = np.sum(heard, axis=0)
            for caller, own in zip(list(room), heard, strict=True):
                mix = np.clip(total - own, -32768, 32767).astype("<i2")
                message = {
                    "event": "playAudio",
                    "media": {
                        "contentType": "audio/x-l16",
                        "sampleRate": RATE_HZ,
                        "payload": base64.b64encode(mix.tobytes()).decode(),
                    },
                }
                try:
                    await caller.socket.send(json.dumps(message))
                except Exception:
                    continue


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    logging.disable(logging.ERROR)  # callers that hang up without a word are no news here
    async with serve(receive, "127.0.0.1", port, compression=None, ping_interval=None):
        await tick()


if __name__ == "__main__":
    asyncio.run(main())
