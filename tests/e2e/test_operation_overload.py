"""What an overworked server takes in, and what it lets go on."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, end_code, hears, phone, until
from tests.kit.running_bridge import (
    RunningBridge,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000


@asynccontextmanager
async def starved(bridge: RunningBridge) -> AsyncIterator[None]:
    """While inside, the server gets the processor for 15 of every 75 ms, as on an overworked machine."""
    fed = threading.Event()

    def starve() -> None:
        while not fed.wait(0.015):
            bridge.send_signal(signal.SIGSTOP)
            time.sleep(0.06)
            bridge.send_signal(signal.SIGCONT)

    # In a thread: what the test itself does must not give the server a rest.
    starving = asyncio.create_task(asyncio.to_thread(starve))
    try:
        yield
    finally:
        fed.set()
        await starving


async def test_while_ticks_run_late_new_media_is_refused_and_what_is_there_goes_on(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_LIMITS_LATE_TICKS_PERCENT": "60"}) as bridge:
        conference = await bridge.open_conference()
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        late = await bridge.invite(conference, "Late")
        async with (
            phone(caller.stream_url, CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
        ):
            mid = await peer.join_plain(Tone(GUEST, AMPLITUDE))
            await hears(peer.heard[mid], CALLER)
            async with starved(bridge):
                await until(lambda: overloaded(bridge, True), 20)
                statuses: list[int] = []
                async with BrowserPeer(ask_over_http(late.uri, late.token, statuses)) as refused:
                    with pytest.raises(httpx.HTTPStatusError) as answer:
                        await refused.join_plain(Tone(700))
                assert statuses == [503] and int(answer.value.response.headers["Retry-After"]) > 0
                async with phone(late.stream_url, 700) as second:
                    assert await end_code(second) == 1013
                # What carries no media is served, and a client that is in may set up its leg anew.
                assert (await bridge.call("GET", f"/{bridge.application}/{conference}")).status_code == 200
                assert call.end is None
            await until(lambda: overloaded(bridge, False), 20)
            await hears(call, GUEST)
            await hears(peer.heard[mid], CALLER)
            async with phone(late.stream_url, 700) as second:
                await hears(second, GUEST)
        assert "Traceback" not in bridge.log


async def overloaded(bridge: RunningBridge, expected: bool) -> bool:
    metrics = (await bridge.call("GET", "/metrics")).text
    return f"\nmediabridge_overloaded {expected:d}.0" in metrics
