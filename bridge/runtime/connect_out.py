"""TCP connections to addresses that the egress gate has checked, and to no others."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bridge.errors import BridgeError

_THREADS = 8


class ConnectFailed(BridgeError):
    """No address took the connection; the text says why."""


class Resolver:
    """Looks names up in threads of its own: slow name servers hold up nobody but those who ask for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "look-up")

    async def __call__(self, host: str) -> list[str]:
        """All addresses, the best first (RFC 6724 §6). Raises OSError."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)

    def close(self) -> None:
        """Take up nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def connect_to(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    """A connected, non-blocking socket to the first address that takes it.

    The time until `deadline` (of the loop's clock) is shared evenly by those not tried yet, so that one which
    swallows packets does not take the others' turn. Raises ConnectFailed with the last one's reason.
    """
    loop = asyncio.get_running_loop()
    reason = "no address"
    for number, address in enumerate(addresses):
        share = (deadline - loop.time()) / (len(addresses) - number)
        try:
            async with asyncio.timeout(share):
                return await _connect(address, port)
        except TimeoutError:
            reason = "connection timed out"
        except OSError as error:
            reason = os_failure(error)
    raise ConnectFailed(reason)


async def _connect(address: str, port: int) -> socket.socket:
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connecting, (address, port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def os_failure(error: OSError) -> str:
    """What went wrong, for users."""
    match error.errno:
        case errno.ECONNREFUSED:
            return "connection refused"
        case errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED:
            return "connection reset"
        case errno.ETIMEDOUT:
            return "connection timed out"
        case errno.EHOSTUNREACH | errno.ENETUNREACH | errno.EADDRNOTAVAIL:
            return "host unreachable"
        case int(number):
            return os.strerror(number).lower()
    return "the connection was closed"


def _look_up(host: str) -> list[str]:
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
