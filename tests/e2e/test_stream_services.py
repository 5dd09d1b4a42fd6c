"""Services that refuse, vanish, close and stall: each ends its own stream at worst, never the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import numpy as np
import pytest
import pytest_asyncio

from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.callback_receiver import CallbackReceiver
from tests.kit.ears import until
from tests.kit.forking import (
    ForkedCall,
    all_online,
    completed,
    forked_call,
    forking_bridge,
    goes_on,
    ticks_skipped,
)
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import RunningBridge, free_port
from tests.kit.stream_service import StreamService

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

HOLD_S = 4
WIDE = "audio/x-l16;rate=16000"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    folder = tmp_path_factory.mktemp("bridge")
    async with forking_bridge(folder, MEDIABRIDGE_STREAMS_HOLD_SECONDS=str(HOLD_S)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def call(bridge: RunningBridge) -> AsyncIterator[ForkedCall]:
    async with forked_call(bridge) as connected:
        yield connected


# --- those that end ---


async def test_a_service_that_refuses_or_is_not_there_is_tried_three_times_and_then_told_of(
    call: ForkedCall,
) -> None:
    async with StreamService(refusal=403) as bots, CallbackReceiver(failures=1) as receiver:
        urls = {"refused": bots.url, "nobody": f"ws://127.0.0.1:{free_port()}/"}
        streams = {
            name: await call.account.start(
                call.anna_id, url, status_callback_url=f"{receiver.url}/{name}", name=name
            )
            for name, url in urls.items()
        }
        for stream in streams.values():
            looked = await completed(call.account, call.anna_id, stream)
            assert (looked["attempts"], looked["end_reason"]) == (3, "Connection error")
            assert looked["captured"] == looked["lost"] > 0
        await receiver.event("DroppedStream", 1)
        assert bots.refused == 3
        told = {callback.fields["Name"]: callback for callback in receiver.callbacks}
        for name, stream in streams.items():
            assert told[name].signed and told[name].fields["StreamID"] == stream
            assert told[name].fields["Reason"] == "Connection error"
        assert "403" in told["refused"].fields["Detail"]
        assert receiver.events == [
            "DroppedStream",
            "DroppedStream",
        ]  # the first answer, 503, asks for another
    await goes_on(call)


async def test_a_service_that_closes_ends_its_stream_and_not_the_call(call: ForkedCall) -> None:
    async with StreamService() as bots, CallbackReceiver() as receiver:
        ways = {"closed": 1000, "failed": 1011, "lost": 1006}
        streams = {
            way: await call.account.start(
                call.anna_id, f"{bots.url}/{way}", status_callback_url=receiver.url, name=way
            )
            for way in ways
        }
        for way, stream in streams.items():
            socket = await bots.stream(stream)
            await socket.frames_came(70)  # what it received is asked for once a second
            if way == "lost":
                socket.abort()
            else:
                await socket.close(ways[way])
        for way, stream in streams.items():
            looked = await completed(call.account, call.anna_id, stream)
            assert looked["delivered"] > 0, way
            await until(partial(ended, receiver, way))
        await goes_on(call)
    assert len(bots.sockets) == 3  # none was dialled again


def ended(receiver: CallbackReceiver, name: str) -> bool:
    events = [one.event for one in receiver.callbacks if one.fields["Name"] == name]
    return events[:1] == ["StartStream"] and events[1:] in (["StopStream"], ["DroppedStream"])


async def test_a_stream_ends_at_its_timeout(call: ForkedCall) -> None:
    async with StreamService() as bots, CallbackReceiver() as receiver:
        stream = await call.account.start(
            call.cleo_id, bots.url, stream_timeout=1, status_callback_url=receiver.url
        )
        socket = await bots.stream(stream)
        assert await socket.ended() == 1000
        told = await receiver.event("StopStream")
        assert (told.fields["Reason"], told.signed) == ("Stream timeout", True)
        assert 40 <= len(socket.media) <= 75
        assert (await completed(call.account, call.cleo_id, stream))["delivered"] >= 40


async def test_hangup_on_close_ends_the_call_with_the_service(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference()
    person = await bridge.invite(conference, "Guest")
    caller = PlivoCaller(person.stream_url, np.zeros(0, np.int16))
    async with StreamService() as bots, caller:
        await until(lambda: all_online(bridge, conference, 1))
        account = PlivoAccount(bridge)
        await account.start(person.id, bots.url, bidirectional=True, hangup_on_close=True)
        socket = await bots.socket()
        await socket.close()
        async with asyncio.timeout(5):
            assert (await caller.ended()).by_service


# --- those that are slow ---


async def test_a_stalled_service_is_reported_in_steps_and_dropped_and_a_pause_loses_nothing(
    call: ForkedCall,
) -> None:
    async with StreamService(small_buffers=True) as bots, CallbackReceiver() as receiver:
        stalled = await call.account.start(
            call.anna_id, f"{bots.url}/stalled",
            content_type=WIDE, status_callback_url=receiver.url, name="stalled",
        )  # fmt: skip
        paused = await call.account.start(
            call.anna_id, f"{bots.url}/paused",
            content_type=WIDE, status_callback_url=receiver.url, name="paused",
        )  # fmt: skip
        skipped = await ticks_skipped(call.bridge)
        slow, pausing = await bots.stream(stalled), await bots.stream(paused)
        slow.stall()
        pausing.stall()
        await asyncio.sleep(0.4 * HOLD_S)
        pausing.go_on()
        looked = await completed(call.account, call.anna_id, stalled, 3 * HOLD_S)
        slow.go_on()
        assert looked["lost"] >= 0.5 * HOLD_S * 50
        await receiver.event("DroppedStream")
        told = [one for one in receiver.callbacks if one.fields["Name"] == "stalled"]
        assert [one.event for one in told] == [
            "StartStream", "DegradedStream", "DegradedStream", "DegradedStream", "DroppedStream",
        ]  # fmt: skip
        assert [one.fields["Percent"] for one in told[1:4]] == ["30", "60", "90"]
        assert all(one.signed for one in told)

        # The other one caught up: every frame is there, one after the other.
        assert await call.account.end(call.anna_id, paused) == 204
        looked = await completed(call.account, call.anna_id, paused)
        await pausing.ended()
        assert looked["lost"] <= await ticks_skipped(call.bridge) - skipped
        assert looked["delivered"] == len(pausing.media)
        pausing.assert_in_order()
    await goes_on(call)


async def test_a_slow_reader_falls_behind_and_is_told_of_while_the_call_goes_on(call: ForkedCall) -> None:
    async with StreamService(small_buffers=True) as bots, CallbackReceiver() as receiver:
        stream = await call.account.start(
            call.cleo_id, bots.url, content_type=WIDE, status_callback_url=receiver.url
        )
        socket = await bots.stream(stream)
        socket.slow(20)
        await receiver.event("DegradedStream", timeout=20)
        assert (await call.account.look(call.cleo_id, stream))["unsent_percent"] >= 15
        assert await call.account.end(call.cleo_id, stream) == 204
        socket.slow(0)
        looked = await completed(call.account, call.cleo_id, stream)
        await socket.ended()
        socket.assert_in_order()
        assert looked["delivered"] <= len(socket.media) <= looked["captured"]
