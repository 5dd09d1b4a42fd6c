"""The obvious way to fork calls, to measure against: a WebSocket client and a task for each stream.

`websockets`' own asyncio client, `json` and `base64`, 50 frames a second of a given size. No hold for slow
services, no confirmation, no mixing or resampling: less than the bridge does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import time

from websockets.asyncio.client import connect


async def fork(url: str, frame_bytes: int) -> None:
    frame = os.urandom(frame_bytes)
    async with connect(url, compression=None, proxy=None) as socket:
        due, chunk = time.monotonic(), 0
        while True:
            chunk += 1
            media = {
                "track": "inbound",
                "timestamp": str(int(time.time() * 1000)),
                "chunk": chunk,
                "payload": base64.b64encode(frame).decode(),
            }
            await socket.send(
                json.dumps(
                    {
                        "event": "media",
                        "sequenceNumber": chunk,
                        "streamId": "20170ada-f610-433b-8758-c02a2aab3662",
                        "media": media,
                        "extra_headers": "{}",
                    }
                )
            )
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--frame-bytes", type=int, required=True)
    arguments = parser.parse_args()
    await asyncio.gather(*(fork(arguments.url, arguments.frame_bytes) for _ in range(arguments.streams)))


if __name__ == "__main__":
    asyncio.run(main())
