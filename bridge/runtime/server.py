"""The life of the HTTP server: listening, serving, draining, ending.

`open_listeners` first, so that a port in use is known before anything is started; then `serve`, which
returns when a stop signal has been obeyed. uvicorn does the HTTP, but not the signals: it would close every
socket at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any, Protocol

import uvicorn

from bridge.errors import ConfigError
from bridge.runtime.http_protocol import BoundedHttpProtocol
from bridge.runtime.listeners import Listener, Tls, listen
from bridge.runtime.stop_signals import StopSignals

log = logging.getLogger(__name__)

NOBODY_LIVE_S = 0.05
"""Who is done that soon has nobody to wait for: no word about draining then."""
CLOSE_TIMEOUT_S = 10.0
"""What `Lifecycle.close` gets after the drain."""
INSISTED_CLOSE_TIMEOUT_S = 1.0
"""The same after a second signal."""
LAST_REQUESTS_S = 3
"""What requests under way get after everything is closed."""

AsgiApp = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, and how to end."""

    host: str = "127.0.0.1"
    port: int = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: Sequence[str] = ()
    """Addresses and networks whose `X-Forwarded-*` are believed."""
    drain_seconds: float = 10.0
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None


class Lifecycle(Protocol):
    """What stands behind the server. Called on the event loop's thread."""

    def drain(self) -> None:
        """From now on: not ready, and no new work."""

    async def finished(self) -> None:
        """Returns when no call is live; cancelled when the drain ends before that."""

    async def close(self) -> None:
        """Close every leg and socket so that peers come back elsewhere or later."""

    def reload(self) -> None:
        """Read tokens anew; an exception is logged and nothing changes."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """What `open_listeners` gives."""

    main: Listener
    metrics: Listener | None = None

    def close(self) -> None:
        """Stop listening; for when `serve` is never reached."""
        self.main.close()
        if self.metrics is not None:
            self.metrics.close()


def open_listeners(settings: ServerSettings) -> Listeners:
    """Listen; connections wait until `serve`. Raises ConfigError."""
    tls = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        tls = Tls(settings.tls_certificate, settings.tls_key)
    main = listen(settings.host, settings.port, tls)
    if settings.metrics_port is None:
        return Listeners(main)
    try:
        return Listeners(main, listen(settings.metrics_host, settings.metrics_port))
    except ConfigError:
        main.close()
        raise


async def serve(
    app: AsgiApp,
    settings: ServerSettings,
    listeners: Listeners,
    lifecycle: Lifecycle,
    *,
    websocket_protocol: type[asyncio.Protocol] | None = None,
    metrics_app: AsgiApp | None = None,
    announce: Callable[[list[str]], None] = lambda addresses: None,
    signals: StopSignals | None = None,
) -> None:
    """Serve until a stop signal, then drain, close and return.

    `announce` gets the addresses once requests are answered. `signals` can be given by a test.
    """

    def reload() -> None:
        if listeners.main.tls is not None:
            listeners.main.tls.reload()
        lifecycle.reload()

    servers = [_Server(_config(app, settings, listeners.main, websocket_protocol), listeners.main)]
    if listeners.metrics is not None and metrics_app is not None:
        servers.append(_Server(_config(metrics_app, settings, listeners.metrics, None), listeners.metrics))
    try:
        with signals or StopSignals(reload) as stop:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(server.serve(list(server.listener.sockets))) for server in servers
                ]
                for server in servers:
                    await server.listening.wait()
                announce(listeners.main.addresses)
                await stop.asked.wait()
                await _drain(lifecycle, settings.drain_seconds, stop)
                for server in servers:
                    server.should_exit = True
                    server.force_exit = stop.insisted.is_set()
                await asyncio.wait(running)
    finally:
        listeners.close()


async def _drain(lifecycle: Lifecycle, drain_seconds: float, stop: StopSignals) -> None:
    lifecycle.drain()
    outcome = await _first_of(min(NOBODY_LIVE_S, drain_seconds), lifecycle.finished(), _insisted(stop))
    if outcome is None and drain_seconds > NOBODY_LIVE_S:
        log.info("- draining for up to %g s; a second signal ends at once", drain_seconds)
        outcome = await _first_of(drain_seconds - NOBODY_LIVE_S, lifecycle.finished(), _insisted(stop))
    if outcome is None and drain_seconds > 0:
        log.warning("x the drain is over and calls are still live: closing them")
    waits = [lifecycle.close()]
    limit = INSISTED_CLOSE_TIMEOUT_S
    if not stop.insisted.is_set():
        waits.append(_insisted(stop))
        limit = CLOSE_TIMEOUT_S
    if await _first_of(limit, *waits) is None:
        log.warning("x not everything closed within %g s", limit)


async def _insisted(stop: StopSignals) -> None:
    await stop.insisted.wait()


async def _first_of(timeout_s: float, *waits: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """The one that ended first, None when none did in time; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if (wrong := task.exception()) is not None:
            log.error("x draining or closing failed", exc_info=wrong)
        return task
    return None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, saying when it listens."""

    def __init__(self, config: uvicorn.Config, listener: Listener) -> None:
        super().__init__(config)
        self.listener = listener
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)  # so that the first answer has a date too
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _config(
    app: AsgiApp,
    settings: ServerSettings,
    listener: Listener,
    websocket_protocol: type[asyncio.Protocol] | None,
) -> uvicorn.Config:
    tls = listener.tls
    return uvicorn.Config(
        app,
        loop="none",
        http=BoundedHttpProtocol,
        ws=websocket_protocol or "none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        workers=1,
        # Given in any case: uvicorn would take them from variables that are not ours.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=30,
        timeout_graceful_shutdown=LAST_REQUESTS_S,
        ssl_context_factory=None if tls is None else lambda config, default: tls.context,
    )
