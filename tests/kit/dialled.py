"""For tests of the WebSocket client: a caller that keeps everything, and services for it to meet."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.runtime.websocket import WebSocketSettings
from bridge.runtime.ws_dial import Dialler
from bridge.sockets import DialFailed, Dialled
from tests.kit.hostile_urls import Names
from tests.kit.recorder import Recorder

HERE = {"bot.example": ["127.0.0.1"]}


class Phone(Recorder):
    """A caller that keeps everything, and breaks when it is told to."""

    socket: Dialled

    def __init__(self) -> None:
        super().__init__()
        self.marks: asyncio.Queue[bytes] = asyncio.Queue()
        self.fails = False

    def received(self, message: bytes, is_text: bool) -> None:
        if self.fails:
            raise RuntimeError("broken")
        super().received(message, is_text)

    def confirmed(self, mark: bytes) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.marks.put_nowait(mark)

    async def next_marks(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            return [await self.marks.get() for _ in range(count)]


def dialler(
    names: Names | None = None,
    settings: WebSocketSettings | None = None,
    *,
    allow_private: bool = True,
    ca_file: Path | None = None,
    timeout_s: float = 5.0,
) -> Dialler:
    gate = EgressGate(EgressSettings(allow_private=allow_private), names or Names(HERE))
    return Dialler(gate, settings, ca_file=ca_file, timeout_s=timeout_s)


async def dial(
    dialling: Dialler, url: str, phone: Phone | None = None, headers: dict[str, str] | None = None
) -> Dialled:
    return await dialling(url, headers or {}, phone or Phone(), max_message_bytes=100_000)


async def failure(dialling: Dialler, url: str, headers: dict[str, str] | None = None) -> DialFailed:
    phone = Phone()
    with pytest.raises(DialFailed) as raised:
        await dial(dialling, url, phone, headers)
    assert not hasattr(phone, "socket") and not phone.ends
    assert dialling.figures()["open"] == 0
    return raised.value


@asynccontextmanager
async def service(
    answer: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A service of somebody else's make; gives its port."""
    async with serve(answer, "127.0.0.1", 0, ssl=tls, max_size=None, ping_interval=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def echo(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_service(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A service that says what it likes; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, more: bytes = b"") -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    writer.write(GREETED.format(accept_key(key)).encode() + more)


GREETED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {}\r\n\r\n"
)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and content of a client's frame; fails when it is not masked."""
    head, length = await reader.readexactly(2)
    assert length & 0x80, "a client must mask"
    length &= 0x7F
    if length == 126:
        [length] = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        [length] = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    content = await reader.readexactly(length)
    return head & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
