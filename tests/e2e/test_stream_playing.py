"""What services play into calls of a real server: when it is heard, acknowledged, ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from bridge.core.ports import L16_16K
from bridge.harness.sound import Samples, decode
from tests.kit.ears import AMPLITUDE, until
from tests.kit.forking import ForkedCall, forked_call, forking_bridge, levels_of
from tests.kit.running_bridge import RunningBridge
from tests.kit.service_socket import ServiceSocket
from tests.kit.stream_service import StreamService
from tests.kit.tones import click_score, tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

BOT = 1500
"""What services say, in hertz: whole waves in 20 ms."""
WIDE = "audio/x-l16;rate=16000"
FORMATS = (WIDE, "audio/x-l16;rate=8000", "audio/x-mulaw;rate=8000")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    async with forking_bridge(tmp_path_factory.mktemp("bridge")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def call(bridge: RunningBridge) -> AsyncIterator[ForkedCall]:
    async with forked_call(bridge) as connected:
        yield connected


def hum(seconds: float, frequency_hz: float = BOT) -> Samples:
    return tone(frequency_hz, seconds, 16_000, AMPLITUDE).astype(np.int16)


async def sounds_for(call: ForkedCall, since: int, frames: int) -> None:
    """Wait until the phone has been sent so many frames of a service's hum after its frame `since`."""

    def so() -> bool:
        if len(call.sent_to_anna.frames) <= since:
            return False
        return int(np.count_nonzero(call.sent_to_anna.levels(BOT, since) > AMPLITUDE / 2)) >= frames

    await until(so)


class Witness:
    """What the phone hears, as another stream tells: it gets every tick that is run, however late."""

    def __init__(self, socket: ServiceSocket) -> None:
        self._socket = socket
        self.begin()

    def begin(self) -> None:
        """Forget what was heard so far."""
        self._since = len(self._socket.frames("outbound"))

    @property
    def samples(self) -> Samples:
        """Since the beginning."""
        assert self._socket.complaints == []
        frames = self._socket.frames("outbound")[self._since :]
        return np.concatenate([decode(frame.payload, L16_16K) for frame in frames])

    def seconds_of(self, frequency_hz: float) -> float:
        """How long that tone has sounded since this began."""
        levels = levels_of(self.samples.reshape(-1, 320), 16_000, frequency_hz)
        return 0.02 * int(np.count_nonzero(levels > AMPLITUDE / 2))


async def witness(call: ForkedCall, bots: StreamService) -> Witness:
    stream = await call.account.start(
        call.anna_id, f"{bots.url}/witness", audio_track="outbound", content_type=WIDE
    )
    return Witness(await bots.stream(stream))


async def test_checkpoints_come_when_the_phone_has_been_sent_the_audio(call: ForkedCall) -> None:
    async with StreamService() as bots:
        await call.account.start(call.anna_id, bots.url, bidirectional=True, content_type=WIDE)
        socket = await bots.socket()
        heard = await witness(call, bots)
        loop = asyncio.get_running_loop()

        asked = loop.time()
        await socket.mark("nothing queued")
        assert (await socket.event("playedStream", name="nothing queued"))["came_s"] - asked < 0.5

        since = len(call.sent_to_anna.frames)
        await socket.play(hum(0.4))
        await socket.mark("first")
        await socket.play(hum(0.6))
        await socket.mark("second")
        first = (await socket.event("playedStream", name="first"))["came_s"]
        second = (await socket.event("playedStream", name="second"))["came_s"]
        await asyncio.sleep(0.3)
        sounding = np.flatnonzero(call.sent_to_anna.levels(BOT, since) > AMPLITUDE / 2)
        times = np.asarray(call.sent_to_anna.times[since:])
        assert heard.seconds_of(BOT) == pytest.approx(1.0, abs=0.05)
        # Both come over sockets of their own, so a little before is as good as a little after.
        assert -0.1 < second - times[sounding[-1]] < 0.3
        assert 0.4 < second - first < 0.8
        names = [event["name"] for event in socket.events_named("playedStream")]
        assert names == ["nothing queued", "first", "second"]
        socket.assert_in_order()
        await call.account.end(call.anna_id)


async def test_clearing_stops_the_phones_sound_at_once_and_delays_nothing(call: ForkedCall) -> None:
    async with StreamService() as bots:
        stream = await call.account.start(call.anna_id, bots.url, bidirectional=True, content_type=WIDE)
        socket = await bots.socket()
        loop = asyncio.get_running_loop()
        sent, waits, rests = call.sent_to_anna, [], []
        for number in range(3):
            since = len(sent.frames)
            await socket.play(hum(5))
            await socket.mark(f"never {number}")
            await sounds_for(call, since, 10)
            asked = loop.time()
            await socket.clear()
            cleared = (await socket.event("clearedAudio", number))["came_s"]
            await asyncio.sleep(0.4)
            sounding = np.flatnonzero(sent.levels(BOT, since) > AMPLITUDE / 10)
            waits.append(cleared - asked)
            rests.append(sent.times[since:][sounding[-1]] - cleared)
        assert np.median(waits) < 0.15, waits
        assert np.median(rests) < 0.1, rests

        heard = await witness(call, bots)
        since = len(sent.frames)
        await socket.play(hum(5))
        await socket.mark("not this")
        await sounds_for(call, since, 5)
        await socket.clear()
        await socket.play(hum(0.3, frequency_hz=1000))
        await socket.mark("but this")
        await socket.event("playedStream", name="but this", timeout=3)
        await asyncio.sleep(0.2)
        assert heard.seconds_of(1000) == pytest.approx(0.3, abs=0.05)
        assert [event["name"] for event in socket.events_named("playedStream")] == ["but this"]
        assert (await call.account.look(call.anna_id, stream))["played"]["clears"] == 4
        socket.assert_in_order()
        await call.account.end(call.anna_id)


async def test_keys_that_a_service_presses_are_sounded_and_the_phones_own_are_told(call: ForkedCall) -> None:
    async with StreamService() as bots:
        await call.account.start(call.anna_id, bots.url, bidirectional=True)
        socket = await bots.socket()
        await call.anna.press("7")
        told = await socket.event("dtmf")
        assert (told["dtmf"]["track"], told["dtmf"]["digit"]) == ("inbound", "7")
        assert isinstance(told["dtmf"]["timestamp"], str) and isinstance(told["extra_headers"], str)
        call.cleo_tone.amplitude = 0.0  # 700 Hz is too near
        try:
            await asyncio.sleep(0.5)
            since = len(call.sent_to_anna.frames)
            await socket.press("5")
            await until(lambda: key_sounds(call, since), 5)
        finally:
            call.cleo_tone.amplitude = AMPLITUDE
        await call.account.end(call.anna_id)


def key_sounds(call: ForkedCall, since: int) -> bool:
    if len(call.sent_to_anna.frames) <= since:
        return False
    low, high = (call.sent_to_anna.levels(hertz, since) for hertz in (770, 1336))
    return int(np.count_nonzero((low > 500) & (high > 500))) >= 2


async def test_nobody_hears_twenty_streams_start_and_end(call: ForkedCall) -> None:
    """The sound is a play queue's, which owes nothing to this process's own timing."""
    call.cleo_tone.amplitude = 0.0
    async with StreamService() as bots:
        await call.account.start(
            call.conference, f"{bots.url}/hum", bidirectional=True, content_type=WIDE, name="Hum"
        )
        bot = await bots.socket()
        heard = await witness(call, bots)
        scores = []
        for attempt in range(3):
            await bot.play(hum(6))
            since = len(call.sent_to_anna.frames)
            await sounds_for(call, since, 10)
            heard.begin()
            since = len(call.sent_to_anna.frames)
            await come_and_go(call, bots, attempt)
            assert click_score(heard.samples, 16_000, BOT) < 0.5
            scores.append(click_score(call.sent_to_anna.since(since).samples, 16_000, BOT))
            await bot.clear()
            if scores[-1] < 0.5:
                break
            await asyncio.sleep(0.3)
        assert min(scores) < 0.5, scores  # where others made the server skip a phone's tick, it is not always
        for socket in bots.sockets:
            assert socket.complaints == []
        await call.account.end(call.conference)
        await call.account.end(call.anna_id)
    call.cleo_tone.amplitude = AMPLITUDE


async def come_and_go(call: ForkedCall, bots: StreamService, attempt: int) -> None:
    """Twenty streams on the phone's call and on the conference, of all kinds; all gone again at the end."""
    calls = [(call.anna_id, call.conference)[one % 2] for one in range(20)]
    streams = await asyncio.gather(
        *(
            call.account.start(
                call_uuid, f"{bots.url}/{attempt}/{one}",
                content_type=FORMATS[one % 3], bidirectional=one % 4 > 1,
            )
            for one, call_uuid in enumerate(calls)
        )
    )  # fmt: skip
    sockets = await asyncio.gather(*(bots.stream(stream) for stream in streams))
    await asyncio.gather(*(one.frames_came(10) for one in sockets))
    await asyncio.gather(*map(call.account.end, calls, streams))
    await asyncio.gather(*(one.ended() for one in sockets))
