"""A cheap crowd of simulated Plivo calls: raw sockets and prebuilt frames, so that the server is measured.

Runs in a process of its own: `python benchmarks/call_load.py URLS_FILE --sounding N --seconds S`. Every
caller sends 50 messages a second from its own starting point within the 20 ms; of each room of `--room`
callers the first `--sounding` send noise, the others silence. Prints one JSON line with what came back.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import struct
import uuid
from urllib.parse import urlsplit

import numpy as np
import uvloop
from pace import send_in_turn

RATE_HZ = 16_000


def frame_of(text: str) -> bytes:
    """A masked WebSocket text frame; a mask of zeros is a mask, and costs nothing (RFC 6455 §5.3)."""
    payload = text.encode()
    head = b"\x81"
    if len(payload) < 126:
        head += struct.pack("!B", 0x80 | len(payload))
    else:
        head += struct.pack("!BH", 0x80 | 126, len(payload))
    return head + b"\0\0\0\0" + payload


def media_frames(sounding: bool, seed: int) -> list[bytes]:
    noise = np.random.default_rng(seed)
    frames = []
    for _ in range(25):
        samples = noise.normal(0, 2500 if sounding else 0, RATE_HZ // 50).clip(-32768, 32767)
        payload = base64.b64encode(samples.astype("<i2").tobytes()).decode()
        media = {"track": "inbound", "timestamp": "1", "chunk": 1, "payload": payload}
        frames.append(frame_of(json.dumps({"event": "media", "sequenceNumber": 2, "media": media})))
    return frames


class Call(asyncio.Protocol):
    def __init__(self, target: str, frames: list[bytes], offset: int) -> None:
        self._target = target
        self._frames = frames
        self._next = offset
        self.transport: asyncio.Transport
        self.upgraded = asyncio.get_running_loop().create_future()
        self.bytes_in = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance
        transport.write(
            f"GET {self._target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"
            "\r\n\r\n".encode()
        )

    def data_received(self, received: bytes) -> None:
        if not self.upgraded.done():
            if b"\r\n\r\n" in received:
                if not received.startswith(b"HTTP/1.1 101"):
                    self.upgraded.set_exception(RuntimeError(received[:200].decode(errors="replace")))
                    return
                start = {
                    "callId": str(uuid.uuid4()),
                    "streamId": str(uuid.uuid4()),
                    "accountId": "MA",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": RATE_HZ},
                }
                message = {"event": "start", "sequenceNumber": 1, "start": start, "extra_headers": "{}"}
                self.transport.write(frame_of(json.dumps(message)))
                self.upgraded.set_result(None)
            return
        self.bytes_in += len(received)

    def send(self) -> None:
        self.transport.write(self._frames[self._next % len(self._frames)])
        self._next += 1

    def connection_lost(self, error: Exception | None) -> None:
        if not self.upgraded.done():
            self.upgraded.set_exception(error or RuntimeError("closed"))


async def run(urls: list[str], room: int, sounding: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    noisy = [media_frames(True, seed) for seed in range(8)]
    quiet = media_frames(False, 0)
    calls = []
    for n, url in enumerate(urls):
        parts = urlsplit(url)
        frames = noisy[n % 8] if n % room < sounding else quiet
        target = parts.path + ("?" + parts.query if parts.query else "")
        _, call = await loop.create_connection(
            lambda target=target, frames=frames, n=n: Call(target, frames, n), parts.hostname, parts.port
        )
        calls.append(call)
        await call.upgraded
    print("ready", flush=True)
    sent, late = await send_in_turn(calls, seconds)
    received = sum(call.bytes_in for call in calls)
    for call in calls:
        call.transport.abort()
    return {"sent": sent, "bytes_in": received, "worst_lateness_s": late}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("urls")
    parser.add_argument("--room", type=int, default=5)
    parser.add_argument("--sounding", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    with open(arguments.urls) as lines:
        urls = lines.read().split()
    print(json.dumps(uvloop.run(run(urls, arguments.room, arguments.sounding, arguments.seconds))))


if __name__ == "__main__":
    main()
