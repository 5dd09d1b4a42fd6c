"""Listens for requests at a call desk, for as long as a run lasts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn

from bridge.errors import ConfigError
from bridge.harness.call_desk import CallDesk

BACKLOG = 512
LAST_REQUESTS_S = 1
"""What requests under way get when the run is over."""


class _Server(uvicorn.Server):
    """Signals are the command line's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def serving(desk: CallDesk, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The address at which `desk` answers; port 0 takes a free one. Raises ConfigError."""
    listener = _listen(host, port)
    config = uvicorn.Config(
        desk.app, http="httptools", loop="none", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=LAST_REQUESTS_S,
    )  # fmt: skip
    server = _Server(config)
    address = listener.getsockname()
    serve = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}"
    finally:
        server.should_exit = True
        await asyncio.gather(serve, return_exceptions=True)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as wrong:
        raise ConfigError(f"cannot listen on {host}: {wrong.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # now, so that requests wait until the server takes them
        listener.setblocking(False)
    except OSError as wrong:
        listener.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {wrong.strerror}") from None
    return listener
