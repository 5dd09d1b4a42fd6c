"""Services that flap and services that lie: the books are kept through it all, and nobody else notices."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from bridge.core.ports import L16_16K
from bridge.harness.plivo_caller import PlivoCaller, new_call
from tests.kit.ears import AMPLITUDE, hears, until
from tests.kit.forking import (
    ANNA,
    CLEO,
    ForkedCall,
    all_online,
    completed,
    forked_call,
    forking_bridge,
    goes_on,
    ticks_skipped,
)
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import RunningBridge
from tests.kit.service_socket import ServiceSocket
from tests.kit.stream_service import StreamService
from tests.kit.stream_sound import line_of
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

HOLD_S = 4
WIDE = "audio/x-l16;rate=16000"
CHAOS_S = 12.0
SEED = 3


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    folder = tmp_path_factory.mktemp("bridge")
    async with forking_bridge(folder, MEDIABRIDGE_STREAMS_HOLD_SECONDS=str(HOLD_S)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def call(bridge: RunningBridge) -> AsyncIterator[ForkedCall]:
    async with forked_call(bridge) as connected:
        yield connected


# --- those that flap ---


async def test_a_redialled_stream_keeps_its_books_through_chaos(bridge: RunningBridge) -> None:
    """Closed, aborted, refused and stalled at random: what was captured was delivered or is a stated gap."""
    conference = await bridge.open_conference()
    person = await bridge.invite(conference, "Speaker")
    account = PlivoAccount(bridge)
    caller = PlivoCaller(
        person.stream_url,
        tone(ANNA, 1, 16_000, AMPLITUDE).astype(np.int16),
        new_call(L16_16K),
        loop_sound=True,
    )
    chance = random.Random(SEED)
    async with StreamService(small_buffers=True) as bots, caller:
        await until(lambda: all_online(bridge, conference, 1))
        stream = await account.start(person.id, bots.url, content_type=WIDE, redial=True)
        await bots.stream(stream)
        await misbehave(bots, chance)

        # A last quiet stretch, for what is held to come through.
        bots.refusal = 0
        await until(lambda: is_caught_up(bots), 20)
        socket = bots.sockets[-1]
        last = socket.frames()[-1].chunk
        await socket.until(lambda: socket.frames()[-1].chunk > last + 25)
        assert await account.end(person.id, stream) == 204
        looked = await completed(account, person.id, stream)
        await socket.ended()

    counted = {
        fate: await bridge.metric("stream_frames_total", f'{{fate="{fate}"}}')
        for fate in ("captured", "delivered", "lost")
    }
    assert counted["captured"] == counted["delivered"] + counted["lost"]
    assert counted["captured"] >= looked["captured"] and counted["lost"] >= looked["lost"]
    assert looked["reconnects"] >= 3
    assert len(bots.sockets) - looked["reconnects"] in (1, 2)  # one may be gone before it is greeted
    track = looked["tracks"]["inbound"]
    gaps = [(gap["from_ms"], gap["to_ms"]) for gap in track["gaps"]]
    assert track["more_gaps"] == 0
    frames = list(itertools.chain.from_iterable(one.frames() for one in bots.sockets if one.start))
    chunks = {frame.chunk for frame in frames}
    missing = set(range(1, track["captured"] + 1)) - chunks
    by_time = {frame.chunk: frame.at_ms for frame in frames}
    first_ms = min(at_ms - 20 * chunk for chunk, at_ms in by_time.items())
    assert {at_ms - 20 * chunk for chunk, at_ms in by_time.items()} == {first_ms}  # one axis throughout
    in_gaps = {
        chunk for chunk in range(1, track["captured"] + 1)
        if any(from_ms <= first_ms + 20 * chunk < to_ms for from_ms, to_ms in gaps)
    }  # fmt: skip
    assert missing <= in_gaps, "frames are missing that no gap tells of"
    assert len(in_gaps) == track["lost"]

    # What came twice is the same, and what came is the sound that was said, without a seam.
    payloads: dict[int, bytes] = {}
    for frame in frames:
        assert payloads.setdefault(frame.chunk, frame.payload) == frame.payload
    line = line_of(frames, L16_16K)
    end_ms = line.from_ms + 1000 * len(line.samples) // line.rate_hz
    edges = [line.from_ms, *itertools.chain.from_iterable(line.missing), end_ms]
    whole = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start > 1_000]
    assert whole
    for start, end in whole:
        assert abs(line.between(start + 200, end - 20).level_db(ANNA)) < 1.5
    for socket in bots.sockets:
        assert [one for one in socket.complaints if not one.startswith("step")] == []
        assert socket.signed


async def misbehave(bots: StreamService, chance: random.Random) -> None:
    """For CHAOS_S seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + CHAOS_S
    while loop.time() < end:
        await asyncio.sleep(chance.uniform(0.3, 1.2))
        live = [one for one in bots.sockets if not one.over]
        what = chance.choice(("close", "abort", "stall", "refuse"))
        if what == "refuse":
            bots.refusal = chance.choice((403, 500, 503))
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            bots.refusal = 0
        for socket in live:
            if what == "close":
                await socket.close(chance.choice((1000, 1001, 1011, 1012)))
            elif what == "abort":
                socket.abort()
            elif what == "stall":
                socket.stall()
                await asyncio.sleep(chance.uniform(0.2, 2.0))
                socket.go_on()


def is_caught_up(bots: StreamService) -> bool:
    """Whether the newest connection is sent the present."""
    socket = bots.sockets[-1]
    if socket.over or not socket.start or len(socket.media) < 50:
        return False
    newest = socket.media[-50:]
    steady = newest[-1].came_s - newest[0].came_s
    return 0.8 < steady < 1.3


# --- those that lie ---


async def test_a_hostile_service_hurts_nobody(call: ForkedCall) -> None:
    chance = random.Random(SEED)
    async with StreamService() as bots:
        good = await call.account.start(call.anna_id, f"{bots.url}/good", content_type=WIDE)
        witness = await bots.stream(good)
        deeds = {
            "rubbish": rubbish, "huge": huge, "binary": binary, "endless": endless, "nested": nested,
            "marks": marks,
        }  # fmt: skip
        hostile = {
            name: await call.account.start(call.cleo_id, f"{bots.url}/{name}", bidirectional=True)
            for name in deeds
        }
        sockets = {name: await bots.stream(stream) for name, stream in hostile.items()}
        skipped, since = await ticks_skipped(call.bridge), len(witness.media)
        await asyncio.gather(*(deeds[name](socket, chance) for name, socket in sockets.items()))
        await hears(call.anna, CLEO, but_not=(ANNA,))
        await witness.frames_came(since + 100)
        witness.assert_in_order()
        lost = (await call.account.look(call.anna_id, good))["lost"]
        assert lost <= await ticks_skipped(call.bridge) - skipped
        looked = {name: await call.account.look(call.cleo_id, one) for name, one in hostile.items()}
        played = {name: one["played"] for name, one in looked.items()}
        # Two minutes are held, which is stated in the books; the rest is refused.
        assert played["endless"]["played_ms"] + played["endless"]["refused_ms"] == 300_000
        assert played["endless"]["refused_ms"] > 150_000
        assert (played["binary"]["malformed"], played["nested"]["malformed"]) == (50, 2)
        assert (looked["rubbish"]["status"], await sockets["rubbish"].ended()) == ("completed", 1007)
        assert looked["huge"]["status"] == "completed"
        assert await sockets["huge"].ended() in (1009, 1006)  # it may have been cut off in mid-sentence
        await call.account.end(call.cleo_id)
        await call.account.end(call.anna_id)
    await goes_on(call)


async def rubbish(socket: ServiceSocket, chance: random.Random) -> None:
    for message in (
        "", "{}", "[]", "null", "\x00", "\ufffd" * 100, '{"event":"playAudio"}',
        '{"event":"playAudio","media":7}',
        '{"event":"playAudio","media":{"payload":"%%%"}}', '{"event":"playAudio","media":{"payload":"AA=="}}',
        '{"event":"checkpoint"}', '{"event":"checkpoint","name":{}}', '{"event":"start"}', '{"event":"stop"}',
        '{"event":"media","media":{"payload":"AAAA"}}', '{"event":"sendDTMF","dtmf":"' + "x" * 1000 + '"}',
        '{"event":"playAudio","media":{"payload":"AAAA","contentType":"audio/mpeg","sampleRate":1e99}}',
    ):  # fmt: skip
        await socket.say(message)
    for _ in range(100):
        await socket.say(chance.randbytes(200).decode("latin-1"))


async def huge(socket: ServiceSocket, chance: random.Random) -> None:
    await socket.say('{"event":"playAudio","media":{"payload":"' + "A" * (16 << 20) + '"}}')


async def binary(socket: ServiceSocket, chance: random.Random) -> None:
    for _ in range(50):
        await socket.say(chance.randbytes(1_000))


async def endless(socket: ServiceSocket, chance: random.Random) -> None:
    """Five minutes at once, silent so that nobody's ears are in the way."""
    for _ in range(60):
        await socket.play(np.zeros(5 * socket.format.rate_hz, np.int16))


async def nested(socket: ServiceSocket, chance: random.Random) -> None:
    await socket.say("[" * 100_000)
    await socket.say('{"event":"playAudio","media":' + '{"media":' * 50_000)


async def marks(socket: ServiceSocket, chance: random.Random) -> None:
    await socket.play(np.zeros(5 * socket.format.rate_hz, np.int16))
    for number in range(3_000):
        await socket.mark(f"{number}" * 10)
    for _ in range(500):
        await socket.clear()
    await socket.press("0123456789*#" * 50)
