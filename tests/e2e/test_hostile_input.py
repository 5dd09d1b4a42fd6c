"""Broken input on live sockets of the real server, while somebody else's call must not notice anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.kit.frame_ear import FrameEar, faults
from tests.kit.running_bridge import ROOT, RunningBridge

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

TONE = ROOT / "samples" / "tone_440_16k.wav"
HERTZ = 440
LEAST_S = 0.5
"""How long the bystander is listened to, at the least, around each attack."""


class Attempt:
    """Around an attack: the tone goes on with one made-up frame at the most, and without a click."""

    def __init__(self, ear: FrameEar) -> None:
        self._ear = ear
        self._since = 0
        self.faults = (0, 0.0)

    @property
    def unnoticed(self) -> bool:
        weak, click = self.faults
        return weak <= 1 and click <= 1.0

    async def __aenter__(self) -> None:
        self._since = len(self._ear.frames)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.faults = faults(await self._ear.next(LEAST_S, self._since), HERTZ)


@dataclass
class Scene:
    """A caller who hums (in a process of its own) and one who listens; attackers join the same conference."""

    bridge: RunningBridge
    conference: str
    ear: FrameEar
    hanging: list[asyncio.StreamReader] = field(default_factory=list)
    """Connections that never get further, opened first and looked at last."""
    drips: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def stream(self) -> str:
        """Address for a participant made for the call."""
        return self.bridge.stream_url(self.conference)

    async def attempts(self) -> AsyncIterator[Attempt]:
        """`async for attempt in scene.attempts(): async with attempt: …` until the listener noticed nothing.

        What else this machine does can disturb as well, now and then; an attack that disturbs does so each
        time.
        """
        for _ in range(4):
            attempt = Attempt(self.ear)
            yield attempt
            if attempt.unnoticed:
                return
            await self.ear.next(1.0)
        raise AssertionError(f"weak frames and worst click: {attempt.faults}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(bridge: RunningBridge) -> AsyncIterator[Scene]:
    conference = await bridge.open_conference("Under attack")
    hums, hears = await bridge.invite(conference, "Hums"), await bridge.invite(conference, "Hears")
    hum = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "call", hums.stream_url,
        "--wav", str(TONE), "--loop", "--seconds", "110",
        cwd=ROOT, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with FrameEar(hears.stream_url) as ear:
            while not (ear.frames and ear.frames[-1].any()):
                await ear.next(0.1)
            await ear.next(2.0)  # the playout buffer finds its depth
            scene = Scene(bridge, conference, ear)
            yield scene
            for drip in scene.drips:
                drip.cancel()
            await asyncio.gather(*scene.drips, return_exceptions=True)
    finally:
        if hum.returncode is None:
            hum.terminate()
        await hum.wait()


def start(encoding: str = "audio/x-l16", rate_hz: int = 16_000) -> str:
    return json.dumps(
        {
            "event": "start",
            "sequenceNumber": 1,
            "start": {
                "callId": "9a1fbbd0-6ab7-4c52-8b34-6c38a0b0a001",
                "streamId": "b77e037d-4119-44b5-902d-25826b654539",
                "accountId": "MA1",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": encoding, "sampleRate": rate_hz},
            },
            "extra_headers": "{}",
        }
    )


def media(payload: str) -> str:
    return json.dumps({"event": "media", "media": {"payload": payload}})


async def attack(scene: Scene, *messages: str | bytes) -> tuple[ClientConnection, int | None]:
    """Send it all; the socket, and what the server closed it with (None while it lives)."""
    socket = await connect(scene.stream, compression=None, proxy=None)
    with contextlib.suppress(ConnectionClosed):
        for message in messages:
            await socket.send(message)
            if message == start():
                await asyncio.sleep(0.1)  # it takes a moment until somebody listens
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:
                    await socket.recv()
    return socket, socket.close_code


async def test_nothing_disturbs_the_bystander_while_nothing_happens(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            await asyncio.sleep(1)


HALVES = {
    "nothing": b"",
    "half a line": b"GET /x HT",
    "half a head": b"GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    "not http": os.urandom(64) + b"\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60,
}


async def drip(writer: asyncio.StreamWriter) -> None:
    """A head that never ends."""
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    with contextlib.suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(b"x-a: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.25)


async def test_half_a_handshake_and_one_byte_a_moment_keep_nobody_waiting(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            for first in [*HALVES.values(), None]:
                for _ in range(20):
                    reader, writer = await asyncio.open_connection("127.0.0.1", scene.bridge.port)
                    scene.hanging.append(reader)
                    if first is None:
                        scene.drips.append(asyncio.create_task(drip(writer)))
                    else:
                        writer.write(first)
            async with asyncio.timeout(2):
                path = f"/{scene.bridge.application}/{scene.conference}"
                assert (await scene.bridge.call("GET", path)).status_code == 200


@pytest.mark.parametrize(
    ("messages", "bad"),
    [
        (["}{", "null", "[]", '"text"', "{}", '{"event":17}'], 6),
        ([start(), media("AAA*"), media("A"), '{"event":"media","media":{"payload":17}}'], 3),
        ([start(), media("AAAA"), media("AA==")], 2),
        ([media("AAAAAAAA"), media("AAAAAAAA"), start()], 2),
        ([start(), start()], 1),
        ([start(), '{"event":"media","media":{"track":"outbound","payload":"AAAA"}}'], 1),
        ([start(), '{"event":"dtmf","dtmf":{"digit":"99999999999999999999999999999999999"}}'], 1),
        ([start(), "[" * 5_000], 1),
        ([start(), '{"event":"nobody knows this"}', '{"event":"stop"}'], 0),
        ([start().encode(), media("").encode()], 0),
    ],
    ids=["json", "base64", "odd", "early", "second start", "track", "digits", "nested", "unknown", "binary"],
)
async def test_broken_messages_are_counted_and_the_call_lives(
    scene: Scene, messages: list[str | bytes], bad: int
) -> None:
    async for attempt in scene.attempts():
        before = await scene.bridge.metric("bad_messages_total")
        async with attempt:
            socket, code = await attack(scene, *messages)
            try:
                assert code is None
                assert await scene.bridge.metric("bad_messages_total") - before == bad
            finally:
                await socket.close()


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([start(), media("A" * 300_000)], 1009),
        ([start(), b"\0" * 300_000], 1009),
        ([start(), start("audio/x-mulaw", 8_000)], 1008),
        ([start(rate_hz=44_100)], 1003),
        ([start("audio/opus", 48_000)], 1003),
        (['{"event":"start"}'], 1003),
        ([start(), *(["}{"] * 120)], 1007),
    ],
    ids=["huge text", "huge binary", "other start", "rate", "encoding", "empty start", "garbage only"],
)
async def test_what_cannot_be_worked_with_is_closed_with_a_code(
    scene: Scene, messages: list[str | bytes], code: int
) -> None:
    async for attempt in scene.attempts():
        before = await scene.bridge.metric("bad_messages_total")
        async with attempt:
            socket, closed_with = await attack(scene, *messages)
            await socket.close()
            assert closed_with == code
            assert socket.close_reason
            assert await scene.bridge.metric("bad_messages_total") > before


async def test_text_that_is_not_utf_8_is_closed_with_1007(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            socket = await connect(scene.stream, compression=None, proxy=None)
            await socket.send(start())
            raw = Frame(Opcode.TEXT, b'{"event":"\xff\xfe"}').serialize(mask=True, extensions=[])
            socket.transport.write(raw)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(5):
                    while True:
                        await socket.recv()
            assert socket.close_code == 1007


async def test_garbage_frames_and_sudden_ends_take_nothing_with_them(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            for garbage in (os.urandom(2_000), b"\xff" * 100, b"\x81\x7f" + b"\xff" * 8, b""):
                socket = await connect(scene.stream, compression=None, proxy=None)
                await socket.send(start())
                socket.transport.write(garbage)
                await asyncio.sleep(0.05)
                socket.transport.abort()


async def test_a_flood_of_media_is_dropped_and_nobody_waits_for_it(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            socket, code = await attack(scene, start(), *([media("AAAA" * 1_000)] * 300))
            assert code is None
            await socket.close()


async def offer(scene: Scene, token: str, content: Any, **more: Any) -> httpx.Response:
    path = f"/{scene.bridge.application}/{scene.conference}/"
    return await scene.bridge.call("POST", path, token, content=content, **more)


GARBAGE_SDP = [
    "",
    "v=0",
    "garbage",
    "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
    "v=0\r\n" + "a=x\r\n" * 10_000,
    "v=0\r\no=- 0 0 IN IP4 0\r\ns=-\r\nt=0 0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" * 100,
    "v=0\r\nm=audio \u0000\ud7ff\r\n",
    "\r\n" * 1_000,
]


async def test_garbage_for_an_offer_is_a_400(scene: Scene) -> None:
    guest = await scene.bridge.invite(scene.conference, "Garbage")
    async for attempt in scene.attempts():
        async with attempt:
            for sdp in GARBAGE_SDP:
                answer = await offer(scene, guest.token, json.dumps({"sdp": sdp}))
                assert answer.status_code == 400, (sdp[:100], answer.text)
                assert answer.json()["error"]
    assert not (await scene.bridge.participants(scene.conference))[guest.id]["online"]


BODIES = [
    (b"{" * 100_000, 400),
    (b"\xff\xfe", 400),
    (b"[]", 400),
    (b'{"sdp":17}', 400),
    (b'{"sdp":"' + b"x" * 10_000_000 + b'"}', 413),
]


async def test_bodies_that_are_none_are_refused(scene: Scene) -> None:
    guest = await scene.bridge.invite(scene.conference, "Garbage")
    async for attempt in scene.attempts():
        async with attempt:
            for content, status in BODIES:
                try:
                    answer = await offer(scene, guest.token, content)
                except httpx.WriteError:  # the server hung up before everything was sent
                    assert status == 413
                else:
                    assert answer.status_code == status, answer.text
                    assert answer.json()["error"]


async def test_who_never_gets_further_is_hung_up_on(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with asyncio.timeout(20), attempt:
            for reader in scene.hanging:
                with contextlib.suppress(ConnectionError):
                    while await reader.read(65_536):
                        pass


async def test_all_that_is_over_leaves_nothing_behind(scene: Scene) -> None:
    async for attempt in scene.attempts():
        async with attempt:
            await asyncio.sleep(0.5)
    people = (await scene.bridge.participants(scene.conference)).values()
    assert {one["name"] for one in people if one["online"]} == {"Hums", "Hears"}
    assert "Traceback" not in scene.bridge.log
