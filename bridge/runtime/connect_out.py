"""TCP connections to addresses that the egress gate has checked, and to no others."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bridge.errors import BridgeError

_THREADS = 32


class ConnectFailed(BridgeError):
    """No address took the connection; the text says why."""


LookUp = Callable[[str], list[str]]
"""All addresses of a name; blocks, and raises OSError."""


def _look_up(host: str) -> list[str]:
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Looks names up in threads of its own: slow name servers hold up nobody but those who ask for them.

    Who asks for a name that is being looked up already waits for the same answer: a hundred streams that are
    redialled to one name which nobody answers for take up one thread.
    """

    def __init__(self, look_up: LookUp = _look_up) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_THREADS, "look-up")
        self._asking: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str) -> list[str]:
        """All addresses, the best first (RFC 6724 §6). Raises OSError."""
        asking = self._asking.get(host)
        if asking is None:
            loop = asyncio.get_running_loop()
            asking = self._asking[host] = loop.run_in_executor(self._threads, self._look_up, host)
            asking.add_done_callback(lambda done: self._answered(host, done))
        return list(await asyncio.shield(asking))

    def _answered(self, host: str, done: asyncio.Future[list[str]]) -> None:
        del self._asking[host]
        if not done.cancelled():
            done.exception()  # everybody may have given up waiting, which is no error

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
