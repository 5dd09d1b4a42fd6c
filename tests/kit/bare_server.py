"""`python -m tests.kit.bare_server`: the server's life with nothing behind it, for tests with real signals.

Prints its addresses, then what the server asks of it, one line each. Calls are "live" while the file named
by `--live` exists; `--stuck` makes closing hang.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bridge.runtime.server import ServerSettings, open_listeners, serve


class Life:
    """Tells on standard output what it is asked."""

    def __init__(self, live: Path | None, stuck: bool) -> None:
        self.live = live
        self.stuck = stuck
        self.draining = False

    def drain(self) -> None:
        self.draining = True
        print("drain", flush=True)

    async def finished(self) -> None:
        while self.live is not None and self.live.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        print("close", flush=True)
        if self.stuck:
            await asyncio.Event().wait()

    def reload(self) -> None:
        print("reload", flush=True)

    async def app(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        status = 503 if self.draining else 200
        body = f"{scope['scheme']} {scope['client'][0]}".encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def run(options: argparse.Namespace) -> None:
    settings = ServerSettings(
        port=options.port,
        drain_seconds=options.drain,
        tls_certificate=options.certificate,
        tls_key=options.key,
        metrics_port=0 if options.metrics else None,
        trusted_proxies=options.trusted,
    )
    listeners = open_listeners(settings)
    life = Life(options.live, options.stuck)
    await serve(
        life.app,
        settings,
        listeners,
        life,
        metrics_app=life.app,
        announce=lambda addresses: print(
            *addresses, *(listeners.metrics.addresses if listeners.metrics else []), flush=True
        ),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--drain", type=float, default=10.0)
    parser.add_argument("--live", type=Path)
    parser.add_argument("--stuck", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--trusted", nargs="*", default=())
    asyncio.run(run(parser.parse_args()))
