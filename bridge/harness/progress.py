"""One line that shows how a run goes: over the last one on a terminal, and only now and then elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from bridge.harness.bot_test import RunLook

SHOW_EVERY_S = 0.5
PLAIN_EVERY_S = 10.0
"""Where standard error is no terminal."""


@asynccontextmanager
async def shown(line: Callable[[], str], title: str) -> AsyncIterator[None]:
    """Show what `line` gives, again and again, on standard error, as long as there is somebody to read it."""
    showing = asyncio.ensure_future(_show(line, title))
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError, OSError):  # what is shown does not decide what comes of a run
            await showing


def live_line(look: RunLook) -> str:
    """How a run goes."""
    response, seconds = look.response, int(look.seconds)
    delays = f"{response.p50:,}/{response.p95:,} ms" if response.n else "–"
    return (
        f"{seconds // 60:02}:{seconds % 60:02}  active {look.active}  done {look.done}/{look.of}  "
        f"failed {look.failed}  response p50/p95 {delays}  harness late {look.late_ms:.0f} ms"
    )


async def _show(line: Callable[[], str], title: str) -> None:
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        print(title, file=sys.stderr)
    try:
        while True:
            await asyncio.sleep(SHOW_EVERY_S if on_terminal else PLAIN_EVERY_S)
            now = line()
            print(f"\r{now}\x1b[K" if on_terminal else now, end="" if on_terminal else "\n", file=sys.stderr)
            sys.stderr.flush()
    finally:
        if on_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
