"""Voice bots as their vendor's documents show them: a web server that gives XML, and a WebSocket beside it.

    async with AnsweringBot(xml=lambda bot, asked: stream_xml(bot.socket_url)) as bot: ...

The bot's side is the vendor's own code throughout: `plivoxml` writes the XML, `validate_v3_signature` checks
what comes, `plivo.RestClient` hangs up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import plivo
from plivo import plivoxml
from plivo.utils import validate_v3_signature
from websockets.asyncio.server import ServerConnection, serve

from tests.kit.bots import Bot
from tests.kit.http_requests import next_request
from tests.kit.plivo_account import elsewhere

AUTH_ID = "MATESTAUTHID12345678"
AUTH_TOKEN = "auth-token-for-tests"
REST_HEADER = "x-mediabridge-rest-url"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the harness's."""

    method: str
    path: str
    fields: dict[str, str]
    """Of the form, or of the query for a GET."""
    signed: bool
    headers: Mapping[str, str]


Reply = str | tuple[int, str] | bytes
"""XML, a status with a body, or bytes to be sent as they are."""


def stream_xml(url: str, *around: Any, **attributes: Any) -> str:
    """`<Stream>`, bidirectional and alone if nothing else is said; then `around`, of plivoxml's elements."""
    response = plivoxml.ResponseElement()
    usual = {"bidirectional": True, "keepCallAlive": True, "contentType": "audio/x-l16;rate=16000"}
    response.add(plivoxml.StreamElement(url, **(usual | attributes)))
    for element in around:
        response.add(element)
    return str(response.to_string())


def _stream(bot: AnsweringBot, asked: Asked) -> Reply:
    return stream_xml(bot.socket_url)


@dataclass
class AnsweringBot:
    """Listens on two free ports of 127.0.0.1; every call gets a bot of its own."""

    bot: Callable[[ServerConnection], Bot] = Bot
    xml: Callable[[AnsweringBot, Asked], Reply | Awaitable[Reply]] = _stream
    """What `/answer` and every other path but `/hangup` and `/events…` gives."""
    auth_token: str = AUTH_TOKEN
    asked: list[Asked] = field(default_factory=list)
    handshakes: list[tuple[str, bool]] = field(default_factory=list)
    """Of every socket: its path with query, and whether it was signed."""

    async def __aenter__(self) -> AnsweringBot:
        self._stack = contextlib.AsyncExitStack()
        sockets = await self._stack.enter_async_context(
            serve(self._converse, "127.0.0.1", 0, compression=None, max_size=None)
        )
        self.socket_url = f"ws://127.0.0.1:{sockets.sockets[0].getsockname()[1]}/stream"
        self._web = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.web_url = f"http://127.0.0.1:{self._web.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._web.close()
        await self._stack.aclose()

    @property
    def url(self) -> str:
        return self.web_url + "/answer"

    def at(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def client(self, asked: Asked, auth_token: str = AUTH_TOKEN) -> plivo.RestClient:
        """The vendor's client, pointed at the desk that `asked` tells of."""
        return elsewhere(asked.headers[REST_HEADER], AUTH_ID, auth_token)

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        headers = socket.request.headers
        url = f"http://{headers['host']}{socket.request.path}"
        self.handshakes.append((socket.request.path, self._is_signed("GET", url, dict(headers.raw_items()))))
        await self.bot(socket).converse()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                method, target, headers, body = await next_request(reader)
                reply = self._reply(method, target, headers, body.decode())
                if not isinstance(reply, str | tuple | bytes):
                    reply = await reply
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                    break
                status, text = (200, reply) if isinstance(reply, str) else reply
                content = text.encode()
                writer.write(
                    f"HTTP/1.1 {status} .\r\nContent-Type: application/xml\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        writer.close()

    def _reply(
        self, method: str, target: str, headers: dict[str, str], body: str
    ) -> Reply | Awaitable[Reply]:
        form = dict(parse_qsl(body, keep_blank_values=True))
        url = f"http://{headers['host']}{target}"
        parts = urlsplit(target)
        fields = form or dict(parse_qsl(parts.query, keep_blank_values=True))
        signed = self._is_signed(method, url, headers, form if method == "POST" else None)
        asked = Asked(method, parts.path, fields, signed, headers)
        self.asked.append(asked)
        if parts.path == "/hangup" or parts.path.startswith("/events"):
            return ""
        return self.xml(self, asked)

    def _is_signed(
        self, method: str, url: str, headers: Mapping[str, str], form: dict[str, str] | None = None
    ) -> bool:
        found = {name.lower(): value for name, value in headers.items()}
        nonce, signature = (found.get(f"x-plivo-signature-v3{end}", "") for end in ("-nonce", ""))
        return bool(signature) and bool(
            validate_v3_signature(method, url, nonce, self.auth_token, signature, form)
        )
