"""The HTTP client on a network of its own: small servers, and names that all mean this machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import HttpFailed
from bridge.runtime.http_out import HttpOut
from tests.kit.hostile_urls import SECRET, Names
from tests.kit.http_requests import HttpRequest, next_request

HERE = {"hook.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Site:
    """Answers requests one by one with what `answer` makes of them, and keeps connections open."""

    answer: Callable[[str, str], bytes | Awaitable[bytes]] = lambda method, target: OK
    asked: list[HttpRequest] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await next_request(reader)
                self.asked.append(request)
                answer = self.answer(request.method, request.target)
                writer.write(answer if isinstance(answer, bytes) else await answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site(
    answer: Callable[[str, str], bytes | Awaitable[bytes]] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    made = Site(answer) if answer is not None else Site()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(made.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def http_out(
    names: Names | None = None,
    *,
    allow_private: bool = True,
    ca_file: Path | None = None,
    max_body: int = 10_000,
) -> AsyncIterator[HttpOut]:
    gate = EgressGate(EgressSettings(allow_private=allow_private), names or Names(HERE))
    out = HttpOut(gate, ca_file=ca_file, max_body_bytes=max_body)
    try:
        yield out
    finally:
        await out.close()


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def failure(out: HttpOut, url: str, method: str = "GET", timeout_s: float = 5.0) -> str:
    with pytest.raises(HttpFailed) as failed:
        await out.request(method, url, timeout_s=timeout_s)
    assert SECRET not in str(failed.value)
    return str(failed.value)
