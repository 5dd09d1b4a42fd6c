"""The client's side of a WebSocket's opening handshake, over a connection that is there already."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import cast

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import WebSocketURI

from bridge.egress.gate import Destination
from bridge.runtime.connect_out import os_failure
from bridge.runtime.headers_out import sendable
from bridge.runtime.tls_out import tls_failure
from bridge.runtime.ws_dialled import DialledConnection
from bridge.sockets import DialFailed

MAX_HEAD_BYTES = 16 * 1024

_HTTP = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")

# websockets logs requests with their query and frames with their content: tokens, digits and speech.
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)

Open = Callable[[ClientProtocol, asyncio.Transport, asyncio.Transport | None], DialledConnection]
"""Makes the connection of a greeted transport, and of the plain one beneath it where that is TLS."""


class Greeting(asyncio.Protocol):
    """The request of a handshake, and the transport's protocol until it is answered.

    No extension and no subprotocol is asked for (RFC 6455 §4.1); redirects are answers like any other.
    """

    def __init__(self, destination: Destination, headers: Mapping[str, str], open_connection: Open) -> None:
        """Raises DialFailed for headers that cannot be sent."""
        path, _, query = destination.path_and_query.partition("?")
        uri = WebSocketURI(destination.secure, destination.host, destination.port, path, query)
        self._protocol = ClientProtocol(uri, logger=_SILENT)
        request = self._protocol.connect()
        if not sendable(headers):
            raise DialFailed("a header of the handshake cannot be sent")
        for name, value in {"User-Agent": "mediabridge", **headers}.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._destination = destination
        self._open_connection = open_connection
        self._transport: asyncio.Transport
        self._beneath: asyncio.Transport | None = None
        self._head = bytearray()
        self._answer: asyncio.Future[DialledConnection] = asyncio.get_running_loop().create_future()

    async def over(self, connected: socket.socket, tls: ssl.SSLContext) -> DialledConnection:
        """The open connection; the socket belongs to it from now on, or is closed.

        Raises DialFailed. There is no deadline in here.
        """
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: self, sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            self._transport = transport
            if self._destination.secure:
                self._beneath = transport
                name = self._destination.host
                secured = await loop.start_tls(transport, self, tls, server_hostname=name)
                self._transport = cast(asyncio.Transport, secured)
            for piece in self._protocol.data_to_send():
                self._transport.write(piece)
            return await self._answer
        except BaseException as error:
            self._transport.abort()
            transport.abort()
            if isinstance(error, ssl.SSLError):
                raise DialFailed(tls_failure(error)) from None
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise DialFailed(os_failure(error)) from None
            raise

    # --- asyncio.Protocol ---

    def data_received(self, received: bytes) -> None:
        """The answer's head, and perhaps frames right behind it."""
        if self._answer.done():
            return
        self._head += received
        end = self._head.find(b"\r\n\r\n") + 4
        if not _HTTP.startswith(self._head[: len(_HTTP)]):
            self._fail("the answer is not HTTP")
        elif end >= 4:
            self._read(bytes(self._head[:end]), bytes(self._head[end:]))
        elif len(self._head) > MAX_HEAD_BYTES:
            self._fail("the answer's headers are too long")

    def connection_lost(self, error: Exception | None) -> None:
        """The service closed the connection in place of an answer."""
        if isinstance(error, ssl.SSLError):
            self._fail(tls_failure(error))
        elif isinstance(error, OSError):
            self._fail(os_failure(error))
        else:
            self._fail("the connection was closed without an answer")

    def _read(self, head: bytes, rest: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            self._fail("the answer is not HTTP")
            return
        if status[1] != b"101":
            self._fail(f"answered {int(status[1])}", int(status[1]))
            return
        self._protocol.receive_data(head)
        self._protocol.events_received()
        if self._protocol.state is not State.OPEN:
            self._fail("the answer is not a valid WebSocket handshake", 101)
            return
        connection = self._open_connection(self._protocol, self._transport, self._beneath)
        self._answer.set_result(connection)
        connection.open(rest)

    def _fail(self, text: str, status: int | None = None) -> None:
        if not self._answer.done():
            self._answer.set_exception(DialFailed(text, status))
            self._answer.exception()  # whoever waited may have been cancelled, which is no error
