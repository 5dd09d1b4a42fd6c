"""The event loop: uvloop's, with UDP sockets on ports of a chosen range."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import uvloop

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


class Loop(uvloop.Loop):
    """Gives every UDP socket that may have any port one of the range, bound to the address asked for.

    aioice asks for one socket for each interface and connection, always with port 0. Sockets that are
    connected to a server keep a port of the kernel's choice. `create_datagram_endpoint` raises OSError with
    EADDRINUSE when the range is used up on that address.
    """

    def __init__(self, udp_port_range: tuple[int, int] | None = None) -> None:
        super().__init__()
        self._low, self._high = udp_port_range or (0, 0)
        # Where to try next: ports just given back rest the longest, so that stray packets find nobody.
        self._next = random.randint(self._low, self._high)

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Protocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **options: Any,
    ) -> tuple[Any, Protocol]:
        """As asyncio's, with the port chosen when `local_addr` leaves it open and nothing else is asked."""
        create = super().create_datagram_endpoint
        if not self._high or local_addr is None or local_addr[1] != 0 or remote_addr is not None or options:
            return await create(protocol_factory, local_addr, remote_addr, **options)
        sock = self._bound(local_addr[0])
        try:
            return await create(protocol_factory, sock=sock)
        except BaseException:
            sock.close()
            raise

    def _bound(self, host: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            for _ in range(self._low, self._high + 1):
                port, self._next = self._next, self._next + 1 if self._next < self._high else self._low
                try:
                    sock.bind((host, port))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                else:
                    return sock
            raise OSError(errno.EADDRINUSE, f"no UDP port from {self._low} to {self._high} is free on {host}")
        except BaseException:
            sock.close()
            raise


def loop_factory(udp_port_range: tuple[int, int] | None = None) -> Callable[[], Loop]:
    """For `asyncio.Runner(loop_factory=…)`."""
    return lambda: Loop(udp_port_range)
