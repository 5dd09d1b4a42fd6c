"""The egress gate for libraries that connect by themselves: an HTTP proxy on this machine, for them alone.

What they may reach, and at which addresses, is so decided where it is for everything else, redirects
included. Whoever uses it shows a password; a connection carries one tunnel, or one plain request.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass

from bridge.egress.gate import Destination, EgressGate
from bridge.errors import BridgeError
from bridge.runtime.connect_out import ConnectFailed, connect_to

_PIECE_BYTES = 1 << 16
_HEAD_BYTES = 1 << 15
_HOP_BY_HOP = (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive")
_REASONS = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """How patient it is, in seconds, and how much it takes on."""

    head_s: float = 10.0
    connect_s: float = 10.0
    idle_s: float = 120.0
    connections: int = 64


class _Denied(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class EgressProxy:
    """`start`, then `address`, at last `close`."""

    def __init__(self, gate: EgressGate, limits: ProxyLimits | None = None) -> None:
        self._gate = gate
        self._limits = limits or ProxyLimits()
        self._password = secrets.token_urlsafe(24)
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self.refused = 0

    async def start(self) -> None:
        """Listen on a port of 127.0.0.1; again, nothing happens. Raises OSError."""
        if self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, limit=_HEAD_BYTES)

    @property
    def address(self) -> str:
        """Its URL, with the password: for clients in this process, and for nobody to see."""
        assert self._server is not None
        return f"http://bridge:{self._password}@127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Take nothing more, and end what goes on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    # --- inside ---

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._carrying) > self._limits.connections:
                raise _Denied(502)
            await self._carry(reader, writer)
        except _Denied as denied:
            self.refused += 1
            with suppress(OSError):
                writer.write(_answer(denied.status))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked sees a connection that ends, and says so
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._limits.head_s):
            head = await reader.readuntil(b"\r\n\r\n")
        method, target, lines = _read_head(head)
        self._check_password(lines)
        tunnel = method == b"CONNECT"
        url = f"https://{target}" if tunnel else target
        destination = await self._resolve(url, "https" if tunnel else "http")
        far_reader, far_writer = await self._connect(destination)
        try:
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                far_writer.write(_rewritten(method, destination, lines))
            await self._carry_both((reader, far_writer), (far_reader, writer))
        finally:
            far_writer.close()

    def _check_password(self, lines: list[bytes]) -> None:
        given = next((line for line in lines if line.lower().startswith(b"proxy-authorization:")), b"")
        wanted = base64.b64encode(f"bridge:{self._password}".encode())
        if not hmac.compare_digest(given.rpartition(b" ")[2], wanted):
            raise _Denied(407)

    async def _resolve(self, url: str, scheme: str) -> Destination:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await self._gate.resolve(url, (scheme,))
        except BridgeError:
            raise _Denied(403) from None
        except TimeoutError:
            raise _Denied(502) from None

    async def _connect(self, to: Destination) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            deadline = asyncio.get_running_loop().time() + self._limits.connect_s
            connected = await connect_to(to.addresses, to.port, deadline)
        except ConnectFailed:
            raise _Denied(502) from None
        try:
            return await asyncio.open_connection(sock=connected)
        except BaseException:
            connected.close()
            raise

    async def _carry_both(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Until one side ends. What it sent last goes out as the connections are closed."""
        carrying = [asyncio.create_task(self._carry_one(*way)) for way in ways]
        try:
            await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in carrying:
                one.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    async def _carry_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._limits.idle_s):
                piece = await reader.read(_PIECE_BYTES)
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()


def _read_head(head: bytes) -> tuple[bytes, str, list[bytes]]:
    """Method, target and header lines of a request."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise _Denied(400)
    return parts[0], parts[1].decode("latin-1"), lines


def _rewritten(method: bytes, destination: Destination, lines: list[bytes]) -> bytes:
    """The request as its server is to see it (RFC 9112 §3.2.1), the only one on its connection."""
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _HOP_BY_HOP]
    first = b" ".join((method, destination.path_and_query.encode("latin-1"), b"HTTP/1.1"))
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _answer(status: int) -> bytes:
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()
