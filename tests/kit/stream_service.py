"""A service that calls are streamed to.

async with StreamService() as service:
    …start a stream to service.url…
    socket = await service.socket()
    await hears(socket.ear("inbound"), 440)
"""

from __future__ import annotations

import asyncio
import http
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from tests.kit.running_bridge import PLIVO_AUTH_TOKEN
from tests.kit.service_socket import ServiceSocket

SMALL_BUFFER = 4096


@dataclass
class StreamService:
    """`async with StreamService() as service`: listens on a free port of 127.0.0.1."""

    auth_token: str = PLIVO_AUTH_TOKEN
    refusal: int = 0
    """Answer upgrades with this HTTP status, while it is set."""
    small_buffers: bool = False
    """Let the kernel take no more than a few messages that are not read."""
    tls: ssl.SSLContext | None = None
    on_socket: Callable[[ServiceSocket], None] | None = None
    """Called for each connection before anything is read."""
    sockets: list[ServiceSocket] = field(default_factory=list)
    refused: int = 0

    async def __aenter__(self) -> StreamService:
        listener = socket.socket()
        if self.small_buffers:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)  # accepted ones inherit it
        listener.bind(("127.0.0.1", 0))
        self._came = asyncio.Condition()
        self._server: Server = await serve(
            self._serve, sock=listener, ssl=self.tls, process_request=self._gate,
            ping_interval=None, close_timeout=1, compression=None, max_queue=4,
        )  # fmt: skip
        self.port = int(listener.getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.sockets:
            one.go_on()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Distinct paths may be added."""
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    def of(self, stream_id: str) -> list[ServiceSocket]:
        """All connections of a stream so far."""
        return [one for one in self.sockets if one.start and one.stream_id == stream_id]

    async def socket(self, number: int = 0, timeout: float = 10.0) -> ServiceSocket:
        """The nth connection, once it has been greeted with `start`."""
        async with asyncio.timeout(timeout), self._came:
            await self._came.wait_for(lambda: len(self.sockets) > number)
        return await self.sockets[number].started(timeout)

    async def stream(self, stream_id: str, timeout: float = 10.0) -> ServiceSocket:
        """The newest connection of that stream."""
        async with asyncio.timeout(timeout), self._came:
            await self._came.wait_for(lambda: self.of(stream_id))
        return self.of(stream_id)[-1]

    def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self.refusal:
            return None
        self.refused += 1
        return connection.respond(http.HTTPStatus(self.refusal), "no\n")

    async def _serve(self, connection: ServerConnection) -> None:
        one = ServiceSocket(connection, self.auth_token, "https" if self.tls else "http")
        if self.on_socket is not None:
            self.on_socket(one)
        self.sockets.append(one)
        telling = asyncio.create_task(self._tell(one))
        try:
            await one.read()
        finally:
            telling.cancel()

    async def _tell(self, one: ServiceSocket) -> None:
        async with self._came:
            self._came.notify_all()
        await one.until(lambda: one.start or one.over, timeout=3600)
        async with self._came:
            self._came.notify_all()
