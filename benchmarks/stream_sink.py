"""A service that streams are sent to: takes WebSockets, answers pings, counts messages, and no more.

Runs in a process of its own: `python benchmarks/stream_sink.py`. Prints its port, and at SIGTERM one JSON
line: connections, messages, and the longest pause between two messages of one stream after its first second.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import signal
import struct
import time

import uvloop

ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
FIRST_SECOND = 50


class Stream(asyncio.Protocol):
    """One connection; frames are told apart by their heads, and what is in them is not looked at."""

    def __init__(self, all_streams: list[Stream]) -> None:
        all_streams.append(self)
        self._held = b""
        self._open = False
        self._last = 0.0
        self.transport: asyncio.Transport
        self.messages = 0
        self.longest_pause = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance

    def data_received(self, received: bytes) -> None:
        held = self._held + received
        if not self._open:
            head, found, held = held.partition(b"\r\n\r\n")
            if not found:
                self._held = head
                return
            key = re.search(rb"sec-websocket-key: *(\S+)", head, re.IGNORECASE)
            assert key is not None
            answer = base64.b64encode(hashlib.sha1(key[1] + ACCEPT.encode()).digest())
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
            )
            self._open = True
        at = 0
        while len(held) - at >= 6:
            length, start = held[at + 1] & 0x7F, at + 2
            if length == 126:
                if len(held) - at < 8:
                    break
                length, start = struct.unpack_from("!H", held, start)[0], start + 2
            end = start + 4 + length
            if end > len(held):
                break
            self._take(held[at] & 0x0F, held[start : start + 4], held[start + 4 : end])
            at = end
        self._held = held[at:]

    def _take(self, opcode: int, mask: bytes, payload: bytes) -> None:
        if opcode == 1:
            now = time.monotonic()
            if self.messages > FIRST_SECOND:
                self.longest_pause = max(self.longest_pause, now - self._last)
            self._last = now
            self.messages += 1
        elif opcode in (8, 9):  # a close or a ping is answered with what was in it
            plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
            self.transport.write(bytes([0x80 | (8 if opcode == 8 else 10), len(plain)]) + plain)
            if opcode == 8:
                self.transport.close()


async def main() -> None:
    streams: list[Stream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(streams), "127.0.0.1", 0, backlog=1024)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    print(
        json.dumps(
            {
                "connections": len(streams),
                "messages": sum(stream.messages for stream in streams),
                "longest_pause_s": max((stream.longest_pause for stream in streams), default=0.0),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    uvloop.run(main())
