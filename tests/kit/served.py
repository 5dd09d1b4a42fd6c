"""uvicorn on the test's own event loop, with the project's WebSocket carrier and a few doors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bridge.runtime.websocket import WebSocketProtocol, WebSocketSettings, make_protocol
from bridge.sockets import Accept, Door, Receiver, UpgradeRequest


async def plain_app(scope: Any, receive: Any, send: Any) -> None:
    """Answers every HTTP request with `plain`."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@dataclass
class Served:
    port: int
    protocol: type[WebSocketProtocol]
    server: uvicorn.Server

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def figure(self, name: str) -> float:
        return self.protocol.figures()[name]


@contextlib.asynccontextmanager
async def served(
    doors: Sequence[Door],
    settings: WebSocketSettings | None = None,
    app: Callable[..., Awaitable[None]] = plain_app,
) -> AsyncIterator[Served]:
    """A server on a free port of 127.0.0.1; gone, with all its connections, at the end."""
    protocol = make_protocol(doors, settings)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws=protocol, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Served(listener.getsockname()[1], protocol, server)
    finally:
        server.should_exit = True
        async with asyncio.timeout(10):
            await serving


UPGRADE = (
    b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
"""A client's handshake at `/x`."""


def door_for(receiver: Receiver, **arguments: object) -> Callable[[UpgradeRequest], Awaitable[Accept | None]]:
    """Opens at `/x`."""

    async def door(request: UpgradeRequest) -> Accept | None:
        return Accept(receiver, **arguments) if request.path == "/x" else None  # type: ignore[arg-type]

    return door


def client(server: Served, path: str = "/x", **arguments: object) -> connect:
    """Somebody else's client, on its way."""
    return connect(server.ws + path, compression=None, **arguments)  # type: ignore[arg-type]


async def closing_of(connection: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the server closes it, after whatever it sends before."""
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosed) as raised:
            while True:
                await connection.recv()
    received = raised.value.rcvd
    assert received is not None
    return received.code, received.reason
