"""WebSockets on the HTTP server's port: a protocol class for uvicorn's `ws=`, without ASGI.

uvicorn hands over a connection whose request asks for a WebSocket. The doors decide on it; what they accept
is carried by `ws_connection`, what they refuse is answered in plain HTTP.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import ClassVar, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from bridge.runtime.ws_connection import WebSocketConnection
from bridge.runtime.ws_register import Register, WebSocketSettings
from bridge.runtime.ws_request import read_request
from bridge.sockets import Accept, Door, Refuse, UpgradeRequest

__all__ = ["WebSocketProtocol", "WebSocketSettings", "make_protocol"]

log = logging.getLogger(__name__)

# websockets logs requests with their query and frames with their content: tokens, digits and speech.
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)

Headers = tuple[tuple[str, str], ...]


def make_protocol(
    doors: Sequence[Door], settings: WebSocketSettings | None = None
) -> type[WebSocketProtocol]:
    """A protocol class for uvicorn's `ws=` that asks `doors`, in their order, who takes an upgrade."""
    register = Register(doors, settings or WebSocketSettings())
    return type("WebSocketProtocol", (WebSocketProtocol,), {"register": register})


class WebSocketProtocol(asyncio.Protocol):
    """One connection, from its upgrade request to the answer.

    uvicorn makes it, calls `connection_made`, gives the request to `data_received` and only then makes it
    the transport's protocol; at its own shutdown it calls `shutdown` and waits until the connection is gone.
    """

    register: ClassVar[Register]

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, object]) -> None:
        self._server_state = server_state
        self._settings = self.register.settings
        self._counters = self.register.counters
        self._protocol = ServerProtocol(logger=_SILENT)
        self._transport: asyncio.Transport
        self._deciding: asyncio.Task[None] | None = None
        self._held = bytearray()
        self._answered = False

    @classmethod
    def close_all(cls, code: int = CloseCode.SERVICE_RESTART, reason: str = "") -> None:
        """Begin the closing handshake on every open socket of this class."""
        cls.register.close_all(code, reason)

    @classmethod
    def figures(cls) -> Mapping[str, float]:
        """Counters by name; see `ws_register.Counters`."""
        return cls.register.figures()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by uvicorn with the transport it hands over."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._server_state.connections.add(self)  # type: ignore[arg-type]

    def data_received(self, received: bytes) -> None:
        """The upgrade request first; what comes before it is answered is held."""
        if self._answered:
            return
        if self._deciding is not None:
            self._held += received
            if len(self._held) > self._settings.held_bytes:
                self._transport.pause_reading()
            return
        self._protocol.receive_data(received)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._take(event)
                return
        if self._protocol.handshake_exc is not None:
            self._answer(400, _error("this is not a WebSocket request"))

    def connection_lost(self, error: Exception | None) -> None:
        """The peer left before it had an answer, or has been refused."""
        self._server_state.connections.discard(self)
        if self._deciding is not None:
            self._deciding.cancel()

    def shutdown(self) -> None:
        """Called by uvicorn at its own shutdown."""
        if self._deciding is not None:
            self._deciding.cancel()
        self._answer(503, _error("the server is shutting down"), (("Retry-After", "5"),))

    # --- deciding ---

    def _take(self, request: Request) -> None:
        # Checked before the doors are asked: a single-use token must not be spent on a broken handshake.
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            kept = tuple((name, response.headers[name]) for name in ("Allow", "Upgrade")
                         if name in response.headers)  # fmt: skip
            self._answer(response.status_code, _error("this is not a valid WebSocket handshake"), kept)
            return
        address = get_remote_addr(self._transport)
        peer, secure = address[0] if address else "", is_ssl(self._transport)
        try:
            asked = read_request(request, peer, secure, self._settings.trusted_proxies)
        except ValueError:
            self._answer(400, _error("the query has too many parameters"))
            return
        self._deciding = asyncio.get_running_loop().create_task(self._decide(asked, response))
        self._server_state.tasks.add(self._deciding)
        self._deciding.add_done_callback(self._server_state.tasks.discard)

    async def _decide(self, asked: UpgradeRequest, response: Response) -> None:
        outcome = await self._outcome(asked)
        try:
            match outcome:
                case Accept():
                    self._open(outcome, asked, response)
                case Refuse(status, body, content_type, headers):
                    self._answer(status, body, headers, content_type)
                case None:
                    self._answer(404, _error("there is no WebSocket at this address"))
        except Exception:  # the connection broke at this very moment, or a door gave what cannot be sent
            log.exception("x cannot answer on %r", asked.path)
            self._transport.abort()

    async def _outcome(self, asked: UpgradeRequest) -> Accept | Refuse | None:
        try:
            async with asyncio.timeout(self._settings.door_timeout_s):
                return await self.register.ask(asked)
        except TimeoutError:
            log.warning("x the doors did not decide in time on %r", asked.path)
            refuse = Refuse(503, _error("the server is busy"), headers=(("Retry-After", "5"),))
        except Exception:
            log.exception("x a door failed on %r", asked.path)
            refuse = Refuse(500, _error("internal error"))
        self._counters.door_failures += 1
        return refuse

    def _open(self, accept: Accept, asked: UpgradeRequest, response: Response) -> None:
        if self._answered or self._transport.is_closing():
            accept.receiver.closed(CloseCode.ABNORMAL_CLOSURE, "")
            return
        self._answered = True
        self._server_state.connections.discard(self)
        if accept.subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = accept.subprotocol
        self._protocol.send_response(response)
        connection = WebSocketConnection(
            accept, self._protocol, self._transport, asked.peer, self.register, self._server_state.connections
        )
        self._transport.resume_reading()
        connection.open(bytes(self._held))

    def _answer(
        self, status: int, body: bytes, headers: Headers = (), content_type: str = "application/json"
    ) -> None:
        """Plain HTTP in place of a WebSocket."""
        if self._answered:
            return
        self._answered = True
        self._counters.refused += 1
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close"]
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        self._transport.close()


def _error(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
