from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, CallTrack
from bridge.harness import serving
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.plivo_caller import CallFailed, PlivoCaller, new_call
from bridge.harness.sound import Samples
from bridge.harness.voice import HeardEvent, Says
from bridge.legs.plivo_leg import PlivoLegs
from bridge.legs.plivo_link import PlivoLink
from bridge.sockets import Accept, UpgradeRequest
from tests.kit.calls import CallPort
from tests.kit.echo_service import EchoService
from tests.kit.served import Served, served
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e


def sound(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> Samples:
    return tone(frequency_hz, seconds, rate_hz).astype(np.int16)


@pytest.mark.parametrize("audio_format", [L16_8K, L16_16K, ULAW_8K])
async def test_a_service_built_with_the_vendor_s_sdk_understands_the_call(audio_format: AudioFormat) -> None:
    echo = EchoService()
    call = new_call(audio_format, headers={"userId": "12345"})
    async with serving(echo.handle) as url:
        async with PlivoCaller(url, sound(440, audio_format.rate_hz, 1.5), call) as caller:
            await caller.press("12#")
            await caller.finished()
            await caller.press("9")
            await asyncio.sleep(0.1)  # the last echo is on its way
            await echo.send_clear_audio()
            async with asyncio.timeout(2):
                await echo.cleared.wait()
    assert echo.errors == []
    assert echo.start.start.call_id == call.call_id
    assert echo.start.extra_headers == "userId=12345"
    assert echo.pressed == "12#9"
    assert echo.reached == ["ten frames"]
    assert caller.figures.played >= 30
    # A busy machine may hold up a frame here or there; some stretch of 200 ms comes through as it was sent.
    stretch = audio_format.rate_hz // 5
    levels = [
        level_of(caller.heard[start : start + stretch], audio_format.rate_hz, 440)
        for start in range(0, len(caller.heard) - stretch, stretch // 2)
    ]
    assert max(levels) == pytest.approx(8000, rel=0.05)
    assert caller.end is not None
    assert not caller.end.by_service


async def test_frames_leave_at_a_steady_pace() -> None:
    arrivals: list[float] = []

    async def listen(socket: ServerConnection) -> None:
        async for message in socket:
            if '"event":"media"' in str(message):
                arrivals.append(asyncio.get_running_loop().time())

    async with serving(listen) as url:
        async with PlivoCaller(url, sound(440, 8000), new_call(L16_8K)) as caller:
            await caller.finished()
    gaps = np.diff(arrivals)
    assert gaps.mean() == pytest.approx(0.02, abs=0.001)
    assert np.median(gaps) == pytest.approx(0.02, abs=0.002)
    assert 50 <= len(arrivals) < 65


async def test_wrong_formats_are_counted_and_played_only_if_asked_for() -> None:
    async def speak(socket: ServerConnection) -> None:
        payload = "AAAA" * 40
        await socket.send('{"event":"playAudio","media":{"contentType":"audio/x-l16","sampleRate":16000,"payload":"%s"}}' % payload)  # fmt: skip  # noqa: UP031, E501
        await socket.send('{"event":"playAudio","media":{"payload":"%s"}}' % payload)  # noqa: UP031
        await socket.send("nonsense")
        async for _ in socket:
            pass

    for convert, longest_ms in ((False, 7.5), (True, 11.25)):
        async with serving(speak) as url:
            async with PlivoCaller(url, sound(440, 8000, 0.1), new_call(L16_8K), convert=convert) as caller:
                await caller.finished()
        assert caller.figures.wrong_format == 1
        assert caller.figures.not_understood == 1
        assert caller.playout.longest_ms == longest_ms


async def test_the_service_s_close_ends_the_call() -> None:
    async def leave(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1012, "restart")

    async with serving(leave) as url, asyncio.timeout(5):
        async with PlivoCaller(url, sound(440, 16_000)) as caller:
            end = await caller.ended()
    assert (end.code, end.reason, end.by_service) == (1012, "restart", True)


class Speechless:
    """A voice that fails after a few frames."""

    ticks = 0

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        self.ticks += 1
        if self.ticks > 3:
            raise RuntimeError("the voice is gone")
        return Says(np.zeros(320, np.int16))


async def test_a_voice_that_raises_is_not_taken_for_a_lost_connection() -> None:
    async def listen(socket: ServerConnection) -> None:
        async for _ in socket:
            pass

    async with serving(listen) as url, asyncio.timeout(5):
        caller = PlivoCaller(url, voice=Speechless())
        await caller.dial()
        await caller.ended()
        with pytest.raises(ExceptionGroup) as raised:
            await caller.hang_up()
        assert raised.group_contains(RuntimeError, match="the voice is gone")
        with pytest.raises(ExceptionGroup):
            await MeasuredCall(PlivoCaller(url, voice=Speechless())).run()


async def test_a_call_that_is_given_up_before_its_start_leaves_no_connection() -> None:
    over = asyncio.Event()

    async def listen(socket: ServerConnection) -> None:
        await socket.wait_closed()
        over.set()

    async with serving(listen) as url, asyncio.timeout(5):
        caller = PlivoCaller(url, phase_s=0.0)
        dialling = asyncio.create_task(caller.dial())
        while caller.connected_s is None:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)
        dialling.cancel()
        await asyncio.wait((dialling,))
        assert dialling.cancelled()
        await over.wait()


async def test_a_refused_call_says_so_without_its_query() -> None:
    async def nobody(request: UpgradeRequest) -> None:
        return None

    async with served([nobody]) as server:
        with pytest.raises(CallFailed, match="404") as failed:
            await PlivoCaller(server.ws + "/x?access_token=s3cret", sound(440, 16_000)).dial()
        assert failed.value.status == 404
        assert "s3cret" not in repr(failed.value)
    with pytest.raises(CallFailed) as failed:
        await PlivoCaller(server.ws + "/x?access_token=s3cret", sound(440, 16_000)).dial()
    assert "s3cret" not in repr(failed.value)


class OneCallBridge:
    """A server whose one participant's port is the test's: what the caller says comes back as its mix."""

    def __init__(self) -> None:
        self.legs = PlivoLegs()
        self.port = CallPort()
        self.admitted = asyncio.Event()
        self.over = asyncio.Event()

    async def door(self, request: UpgradeRequest) -> Accept:
        return Accept(self.legs.new_link(self._admit, lambda link, reason: self.over.set()), media=True)

    async def _admit(self, link: PlivoLink) -> None:
        leg = self.legs(self.port, CallTrack(link, "inbound"))
        await leg.start()
        self.leg = leg
        self.admitted.set()

    async def echo(self, ticks: int) -> None:
        """Each tick sends what has come in, as a mixer of one would."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        assert self.port.input is not None
        pushed = self.port.input.pushed
        for _ in range(ticks):
            frame = pushed.pop(0) if pushed else bytes(640)
            self.port.sink.send_frame(frame, False, False)
            due += 0.02
            await asyncio.sleep(max(due - loop.time(), 0))


async def test_the_bridge_s_own_leg_and_the_caller_understand_each_other_over_a_real_socket() -> None:
    bridge = OneCallBridge()
    async with served([bridge.door]) as server:
        async with PlivoCaller(server.ws + "/x", sound(440, 16_000)) as caller, asyncio.timeout(10):
            await bridge.admitted.wait()
            await caller.press("5")
            await bridge.echo(60)
            look = bridge.leg.look()
        await bridge.over.wait()
    assert look.figures["backlog_known"] == 1
    assert 0 <= look.backlog_ms <= 100
    assert look.figures["frames_out"] == 60
    assert caller.figures.played >= 59, "the last one may have been on its way"
    gaps = np.diff(caller.arrivals)
    assert (gaps < 0.002).sum() <= 6, "frames came in bursts"
    # Nothing smooths the jitter here, so that a few frames of silence are within.
    assert level_of(caller.heard[4_000:14_000], 16_000, 440) > 4000
    assert bridge.legs.figures().bad_messages == 0


@pytest.mark.parametrize("garbage", ["}{", '{"event":"media","media":{"payload":"A"}}', '{"event":"start"}'])
async def test_broken_messages_over_a_real_socket_do_not_end_the_call(garbage: str) -> None:
    bridge = OneCallBridge()
    async with served([bridge.door]) as server:
        async with PlivoCaller(server.ws + "/x", sound(440, 16_000)) as caller, asyncio.timeout(10):
            await bridge.admitted.wait()
            for _ in range(5):
                await caller.send(garbage)
            await bridge.echo(10)
            assert bridge.leg.look().state == "connected"
        assert bridge.legs.figures().bad_messages == 5


async def test_a_huge_message_ends_that_call_only() -> None:
    bridges = {"/a": OneCallBridge(), "/b": OneCallBridge()}

    async def door(request: UpgradeRequest) -> Accept:
        return await bridges[request.path].door(request)

    async with served([door]) as server:
        async with (
            PlivoCaller(server.ws + "/a", sound(440, 16_000)) as broken,
            PlivoCaller(server.ws + "/b", sound(440, 16_000)) as other,
            asyncio.timeout(10),
        ):
            for bridge in bridges.values():
                await bridge.admitted.wait()
            await broken.send('{"event":"media","media":{"payload":"' + "A" * 300_000)
            end = await broken.ended()
            assert end.code == 1009
            await bridges["/b"].echo(5)
            assert other.end is None
            assert bridges["/a"].leg.look().state == "interrupted"


async def test_a_caller_that_drops_is_noticed_at_once(served_bridge: tuple[OneCallBridge, Served]) -> None:
    bridge, server = served_bridge
    caller = PlivoCaller(server.ws + "/x", sound(440, 16_000))
    await caller.dial()
    async with asyncio.timeout(5):
        await bridge.admitted.wait()
        caller.drop()
        await bridge.over.wait()
    assert bridge.leg.look().state == "interrupted"
    await caller.hang_up()


@pytest.fixture
async def served_bridge() -> AsyncIterator[tuple[OneCallBridge, Served]]:
    bridge = OneCallBridge()
    async with served([bridge.door]) as server:
        yield bridge, server
