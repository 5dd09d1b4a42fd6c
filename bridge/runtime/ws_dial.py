"""Opens WebSockets to services: `bridge.sockets.Dial`, through the egress gate.

An open socket is carried as the server's are, by `ws_connection`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import CloseCode

from bridge.egress.gate import EgressGate
from bridge.errors import NoSuchHost
from bridge.runtime.connect_out import ConnectFailed, connect_to
from bridge.runtime.tls_out import client_context
from bridge.runtime.ws_dialled import DialledConnection
from bridge.runtime.ws_greeting import Greeting
from bridge.runtime.ws_register import Register, WebSocketSettings
from bridge.sockets import Caller, DialFailed, Dialled

SCHEMES = ("ws", "wss")
DIAL_TIMEOUT_S = 10.0


class Dialler:
    """One for the process; an instance is a `bridge.sockets.Dial`."""

    def __init__(
        self,
        gate: EgressGate,
        settings: WebSocketSettings | None = None,
        *,
        ca_file: Path | None = None,
        timeout_s: float = DIAL_TIMEOUT_S,
    ) -> None:
        """`timeout_s`: for looking up, connecting, TLS and the handshake together.

        Raises OSError when `ca_file` cannot be read or used.
        """
        self._gate = gate
        self._register = Register((), settings or WebSocketSettings())
        self._tls = client_context(ca_file)
        self._timeout_s = timeout_s
        self._alive: set[Any] = set()

    async def __call__(
        self, url: str, headers: Mapping[str, str], caller: Caller, *, max_message_bytes: int
    ) -> Dialled:
        """See `bridge.sockets.Dial`. An attempt that is cancelled leaves nothing open."""
        try:
            return await self._dial(url, headers, caller, max_message_bytes)
        except BaseException:
            self._register.counters.refused += 1
            raise

    def close_all(self, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Begin the closing handshake on every open socket."""
        self._register.close_all(code, reason)

    def figures(self) -> Mapping[str, float]:
        """Counters by name; see `ws_register.Counters`. `refused` are the dials that failed."""
        return self._register.figures()

    async def _dial(
        self, url: str, headers: Mapping[str, str], caller: Caller, max_message_bytes: int
    ) -> DialledConnection:
        def open_connection(
            protocol: ClientProtocol, transport: asyncio.Transport, beneath: asyncio.Transport | None
        ) -> DialledConnection:
            peer = destination.host
            return DialledConnection(
                caller, max_message_bytes, protocol, transport, beneath, peer, self._register, self._alive
            )

        deadline = asyncio.get_running_loop().time() + self._timeout_s
        step = "looking up the host"
        try:
            async with asyncio.timeout_at(deadline):
                destination = await self._gate.resolve(url, SCHEMES)
                greeting = Greeting(destination, headers, open_connection)
                step = "connecting"
                connected = await connect_to(destination.addresses, destination.port, deadline)
                step = "the handshake"
                return await greeting.over(connected, self._tls)
        except TimeoutError:
            raise DialFailed(f"{step} took more than {self._timeout_s:g} s") from None
        except (NoSuchHost, ConnectFailed) as failed:
            raise DialFailed(str(failed)) from None
