"""Work that comes to its own end when nobody wants more of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Made = TypeVar("Made")


async def carried_out(
    work: Coroutine[Any, Any, Made], stop: Callable[[], None]
) -> tuple[Made, asyncio.CancelledError | None]:
    """What comes of `work`; when this is cancelled, `stop` asks it to end, and it is waited for all the same.

    The cancellation is given beside it, to be raised when everything has been told.
    """
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running), None
    except asyncio.CancelledError as wanted:
        stop()
        return await running, wanted
