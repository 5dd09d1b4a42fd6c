"""Signals and draining: how a server ends, and what that means for those who are on it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from bridge.harness.plivo_caller import CallFailed
from tests.kit.app_socket import AppSocket
from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, end_code, hears, phone, until
from tests.kit.running_bridge import (
    PLIVO_AUTH_ID,
    PLIVO_AUTH_TOKEN,
    RunningBridge,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000


async def test_sigterm_drains_and_then_lets_everybody_come_back(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "5"}) as bridge:
        conference = await bridge.open_conference()
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        late = await bridge.invite(conference, "Late")
        async with (
            phone(caller.stream_url, CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
            AppSocket(bridge, conference) as app,
        ):
            (mid,) = await peer.join_as_sdk(publish=Tone(GUEST, AMPLITUDE), subscribe=["conference"])
            await hears(peer.heard[mid], CALLER)
            began = asyncio.get_running_loop().time()
            bridge.send_signal(signal.SIGTERM)
            await until(lambda: answers(bridge, "/readyz", 503), 1.0)
            assert await answers(bridge, "/healthz", 200)
            made = await bridge.call("POST", f"/{bridge.application}", json={})
            assert made.status_code == 503 and int(made.headers["Retry-After"]) > 0
            statuses: list[int] = []
            async with BrowserPeer(ask_over_http(late.uri, late.token, statuses)) as refused:
                with pytest.raises(httpx.HTTPStatusError):
                    await refused.join_plain(Tone(700))
            assert statuses == [503]
            with pytest.raises(CallFailed) as failed:
                await phone(late.stream_url, 700).dial()
            assert failed.value.status == 503
            # Who is here goes on, also with a new offer of the same session.
            second = await peer.subscribe(f"{caller.id}#primary")
            await hears(peer.heard[second], CALLER)
            await hears(call, GUEST)
            assert call.end is None and app.closed_with is None
            assert await end_code(call) == 1012
            assert 4.0 < asyncio.get_running_loop().time() - began < 8.0
            await peer.channel_closed()
            assert not {"4000", "4001"} & set(peer.texts)
            assert await app.closed() == 1012
        assert await bridge.exit_code() == 0
        assert "Traceback" not in bridge.log


async def answers(bridge: RunningBridge, path: str, status: int) -> bool:
    return (await bridge.call("GET", path)).status_code == status


async def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "600"}) as bridge:
        conference = await bridge.open_conference()
        caller = await bridge.invite(conference)
        async with phone(caller.stream_url, CALLER) as call:
            await until(lambda: bool(call.figures.played))
            bridge.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert call.end is None
            bridge.send_signal(signal.SIGTERM)
            assert await end_code(call, 3.0) == 1012
        assert await bridge.exit_code(5.0) == 0


async def test_without_calls_sigterm_does_not_wait(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "600"}) as bridge:
        await bridge.open_conference()
        bridge.send_signal(signal.SIGTERM)
        assert await bridge.exit_code(5.0) == 0


async def test_a_service_that_is_alone_does_not_hold_up_the_end(tmp_path: Path) -> None:
    told = asyncio.Event()

    async def listen_only(socket: ServerConnection) -> None:
        async for _ in socket:
            told.set()

    allowed = {"MEDIABRIDGE_DRAIN_SECONDS": "600", "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true"}
    async with serve(listen_only, "127.0.0.1", 0) as service, RunningBridge(tmp_path, allowed) as bridge:
        conference = await bridge.open_conference()
        port = next(iter(service.sockets)).getsockname()[1]
        async with httpx.AsyncClient(auth=(PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN)) as http:
            streams = f"{bridge.base}/v1/Account/{PLIVO_AUTH_ID}/Call/{conference}/Stream/"
            begun = await http.post(streams, json={"service_url": f"ws://127.0.0.1:{port}"})
        assert begun.status_code == 202
        await asyncio.wait_for(told.wait(), 10)
        bridge.send_signal(signal.SIGTERM)
        assert await bridge.exit_code(8.0) == 0
