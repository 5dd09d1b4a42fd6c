"""An HTTP server for status callbacks: keeps what it is told and whether it is signed well."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from plivo.utils import validate_v3_signature

from tests.kit.http_requests import next_request
from tests.kit.running_bridge import PLIVO_AUTH_TOKEN


@dataclass(frozen=True, slots=True)
class Callback:
    """One request."""

    method: str
    target: str
    fields: dict[str, str]
    """Of the form, or of the query for a GET."""
    signed: bool

    @property
    def event(self) -> str:
        return self.fields.get("Event", "")


@dataclass
class CallbackReceiver:
    """`async with CallbackReceiver() as receiver`: listens on a free port of 127.0.0.1."""

    auth_token: str = PLIVO_AUTH_TOKEN
    failures: int = 0
    """So many of the next requests are answered 503."""
    callbacks: list[Callback] = field(default_factory=list)
    """Those that were answered 200."""

    async def __aenter__(self) -> CallbackReceiver:
        self._came = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    @property
    def events(self) -> list[str]:
        return [callback.event for callback in self.callbacks]

    async def event(self, name: str, number: int = 0, timeout: float = 10.0) -> Callback:
        """The nth callback of that event."""
        async with asyncio.timeout(timeout):
            while True:
                found = [callback for callback in self.callbacks if callback.event == name]
                if len(found) > number:
                    return found[number]
                self._came.clear()
                await self._came.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                method, target, headers, body = await next_request(reader)
                status = self._take(method, target, headers, body.decode())
                writer.write(f"HTTP/1.1 {status} .\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    def _take(self, method: str, target: str, headers: dict[str, str], body: str) -> int:
        if self.failures:
            self.failures -= 1
            return 503
        form = dict(parse_qsl(body, keep_blank_values=True))
        signed = validate_v3_signature(
            method,
            f"http://{headers['host']}{target}",
            headers.get("x-plivo-signature-v3-nonce", ""),
            self.auth_token,
            headers.get("x-plivo-signature-v3", ""),
            form if method == "POST" else None,
        )
        fields = form or dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        self.callbacks.append(Callback(method, target, fields, bool(signed)))
        self._came.set()
        return 200
