"""An RTMP connection for a child process: it speaks to a port of this machine, and we carry the bytes on.

What a child may reach, whom it trusts and how long it waits are so decided here: the address has been through
the egress gate, TLS is verified, and whoever does not answer or does not read is noticed. A relay takes one
connection, and is over with it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from bridge.egress.gate import Destination, EgressGate
from bridge.errors import BridgeError, NoSuchHost
from bridge.runtime.connect_out import ConnectFailed, connect_to, os_failure
from bridge.runtime.rtmp_connect import ConnectRewriter, tc_url_of
from bridge.runtime.tls_out import tls_failure

SCHEMES = ("rtmp", "rtmps")
_PIECE_BYTES = 1 << 14
_SEND_BUFFER_BYTES = 1 << 16
"""Small, so that a peer that does not read shows within seconds (0.35 Mbit/s fill this in 1.5 s)."""


_LAST_WORDS_S = 1.0
"""For what waits when the child has said everything."""


class RelayFailed(BridgeError):
    """The connection could not be made or was broken; the text says why, and holds no path or query."""


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How patient a relay is, in seconds."""

    taken_s: float = 10.0
    """Until the child has connected to us."""
    connected_s: float = 10.0
    """Until name, TCP and TLS are through."""
    answered_s: float = 10.0
    """Until the peer's first byte."""
    stalled_s: float = 10.0
    """Without the peer taking anything of what waits for it."""


class Relay:
    """`port = await relay.open()`, tell it the child, `await relay.carry()`; `close` it whatever came."""

    def __init__(
        self, gate: EgressGate, url: str, tls: ssl.SSLContext, limits: RelayLimits | None = None
    ) -> None:
        self._gate = gate
        self._url = url
        self._tls = tls
        self._limits = limits or RelayLimits()
        self._taken: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self._server: asyncio.Server | None = None
        self._rewriter: ConnectRewriter
        self.bytes_out = 0
        self.bytes_in = 0
        self.connected = False

    async def open(self) -> int:
        """Listen on a port of 127.0.0.1 for one connection. Raises OSError."""
        self._taken = asyncio.get_running_loop().create_future()
        listening = socket.create_server(("127.0.0.1", 0), backlog=1)
        port: int = listening.getsockname()[1]
        try:
            self._server = await asyncio.start_server(self._take, sock=listening, start_serving=False)
        except BaseException:
            listening.close()
            raise
        await self._server.start_serving()
        return port

    async def carry(self) -> None:
        """Connect, and carry bytes both ways until one side ends. Raises RelayFailed, EgressRefused.

        Cancelled, it closes both sides at once.
        """
        limits = self._limits
        writers: list[asyncio.StreamWriter] = []
        try:
            try:
                async with asyncio.timeout(limits.taken_s):
                    child_reader, child_writer = await asyncio.shield(self._taken)
            except TimeoutError:
                raise RelayFailed("nothing was sent") from None
            writers.append(child_writer)
            self._stop_listening()
            reader, writer = await self._connect()
            writers.append(writer)
            self.connected = True
            await self._carry_both(child_reader, child_writer, reader, writer)
        finally:
            for one in writers:
                one.transport.abort()
            self.close()

    def close(self) -> None:
        """Take nothing more, also when nothing was ever carried."""
        self.connected = False
        self._stop_listening()
        if not self._taken.cancel() and not self._taken.cancelled():
            _, writer = self._taken.result()
            writer.transport.abort()

    # --- inside ---

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._taken.done() or self._server is None:
            writer.transport.abort()
        else:
            self._taken.set_result((reader, writer))

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        step = "looking up the host"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.connected_s
        try:
            async with asyncio.timeout_at(deadline):
                destination = await self._gate.resolve(self._url, SCHEMES)
                step = "connecting"
                connected = await connect_to(destination.addresses, destination.port, deadline)
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
                if hasattr(socket, "TCP_USER_TIMEOUT"):  # for a network that is gone (RFC 5482)
                    timeout_ms = round(self._limits.stalled_s * 1000)
                    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
                step = "TLS"
                opened = await self._open(connected, destination)
                self._rewriter = ConnectRewriter(
                    tc_url_of(destination.scheme, destination.authority, destination.path_and_query)
                )
                return opened
        except TimeoutError:
            raise RelayFailed(f"{step} took too long") from None
        except ssl.SSLError as error:
            raise RelayFailed(tls_failure(error)) from None
        except (ConnectFailed, NoSuchHost) as error:
            raise RelayFailed(str(error)) from None
        except OSError as error:
            raise RelayFailed(os_failure(error)) from None

    async def _open(
        self, connected: socket.socket, destination: Destination
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            tls = self._tls if destination.secure else None
            host = destination.host if tls else None
            return await asyncio.open_connection(sock=connected, ssl=tls, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    async def _carry_both(
        self,
        child_reader: asyncio.StreamReader,
        child_writer: asyncio.StreamWriter,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        out = asyncio.ensure_future(self._carry_out(child_reader, writer))
        back = asyncio.ensure_future(self._carry_back(reader, child_writer))
        try:
            await asyncio.wait((out, back), return_when=asyncio.FIRST_COMPLETED)
            for done in (back, out):
                if done.done():
                    done.result()
        finally:
            for task in (out, back):
                task.cancel()
            await asyncio.gather(out, back, return_exceptions=True)

    async def _carry_out(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(_PIECE_BYTES)
        with suppress(ConnectionError):
            while piece := await reader.read(_PIECE_BYTES):
                try:
                    writer.write(self._rewriter.feed(piece))
                    async with asyncio.timeout(self._limits.stalled_s):
                        await writer.drain()
                except TimeoutError:
                    raise RelayFailed("the peer does not read what it is sent") from None
                except OSError as error:
                    raise RelayFailed(os_failure(error)) from None
                self.bytes_out += len(piece)
            # Those were the last words: what is closed next leaves out what still waits here.
            writer.transport.set_write_buffer_limits(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await writer.drain()

    async def _carry_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        patience: float | None = self._limits.answered_s
        began = monotonic()
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await reader.read(_PIECE_BYTES)
            except TimeoutError:
                raise RelayFailed(f"the peer did not answer for {monotonic() - began:.0f} s") from None
            except OSError as error:
                raise RelayFailed(os_failure(error)) from None
            if not piece:
                raise RelayFailed("the peer closed the connection")
            patience = None
            self.bytes_in += len(piece)
            writer.write(piece)
            with suppress(ConnectionError):
                await writer.drain()
