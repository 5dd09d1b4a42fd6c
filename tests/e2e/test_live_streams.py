"""Live streams of a real server: RTMP to a real nginx, HLS to players, both heard as they were spoken."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.harness.plivo_caller import PlivoCaller
from bridge.rtmp.amf0 import decode
from bridge.rtmp.chunks import METADATA
from tests.kit.rtmp_peer import rtmp_peer
from tests.kit.rtmp_server import RtmpServer, rtmp_server
from tests.kit.running_bridge import RunningBridge
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e

RATE_HZ = 48_000
ALLOWED = {"MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true"}


def sound_in(source: str | io.BytesIO) -> NDArray[np.float32]:
    """Mono at 48 kHz: float32 [n] at int16 scale."""
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(source) as container:
        frames = [
            made.to_ndarray()[0] for frame in container.decode(audio=0) for made in resampler.resample(frame)
        ]
    return 32_768 * np.concatenate(frames)


@asynccontextmanager
async def speaking(bridge: RunningBridge, conference: str, frequency_hz: int) -> AsyncIterator[None]:
    url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token={bridge.token}"
    sound = tone(frequency_hz, 60, 16_000).astype(np.int16)
    async with PlivoCaller(url, sound):
        yield


async def create(bridge: RunningBridge, conference: str, **wanted: object) -> dict[str, str]:
    answer = await bridge.call("POST", f"/{bridge.application}/{conference}/streamings", json=wanted)
    assert answer.status_code == 200, answer.text
    made: dict[str, str] = answer.json()
    return made


async def until_alive(bridge: RunningBridge, conference: str, streaming: str, wanted: bool = True) -> None:
    path = f"/{bridge.application}/{conference}/streamings/{streaming}"
    async with asyncio.timeout(40):
        while (await bridge.call("GET", path)).json()["alive"] is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with RunningBridge(tmp_path / "server", dict(ALLOWED)) as running:
        yield running
    assert "Traceback" not in running.log


async def test_what_is_said_arrives_at_the_rtmp_server_and_again_after_it_was_away(
    bridge: RunningBridge, tmp_path: Path
) -> None:
    with rtmp_server(tmp_path / "nginx") as server:
        conference = await bridge.open_conference("Live")
        made = await create(bridge, conference, url=server.url("a-secret-key"))
        async with speaking(bridge, conference, 700):
            await until_alive(bridge, conference, made["id"])
            await asyncio.sleep(3.0)
            server.stop()
            await until_alive(bridge, conference, made["id"], wanted=False)
            server.start_again()
            await until_alive(bridge, conference, made["id"])
            await asyncio.sleep(3.0)
        path = f"/{bridge.application}/{conference}/streamings/{made['id']}"
        assert (await bridge.call("DELETE", path)).status_code == 200
        await asyncio.sleep(0.5)
        check_recorded(server, "a-secret-key", connections=2)
        assert "a-secret-key" not in bridge.log


async def test_marks_and_levels_are_said_in_what_is_published(bridge: RunningBridge) -> None:
    def said(name: str) -> list[Any]:
        told = [decode(message.body) for message in peer.of(METADATA)]
        return [values[1] for values in told if values[0] == name]

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - another process says it
                await asyncio.sleep(0.05)

    with rtmp_peer() as peer:
        conference = await bridge.open_conference("Live")
        url = f"rtmp://127.0.0.1:{peer.port}/live/key"
        made = await create(bridge, conference, url=url, levels=True, picture=None)
        path = f"/{bridge.application}/{conference}/streamings/{made['id']}/metadata"
        async with speaking(bridge, conference, 700):
            await until_alive(bridge, conference, made["id"])
            people = await bridge.call("GET", f"/{bridge.application}/{conference}/participants")
            (speaker,) = [person["id"] for person in people.json()]
            await until(
                lambda: any(60 < told["levels"].get(speaker, 0) <= 100 for told in said("onSoundLevels"))
            )
            marked = await bridge.call("POST", path, json={"payload": "vote now", "duration": 5})
            assert marked.status_code == 200, marked.text
            await until(lambda: bool(said("onUserData")))
        (told,) = said("onUserData")
        assert (told["payload"], told["duration"]) == ("vote now", 5.0)
        assert abs(told["at"] / 1000 - time.time()) < 30
        await until(lambda: said("onSoundLevels")[-1]["levels"] == {})
        peer.status = "NetStream.Publish.Denied"  # for good
        peer.hang_up()
        await until_alive(bridge, conference, made["id"], wanted=False)
        nobody = await bridge.call("POST", path, json={"payload": "lost"})
        assert nobody.status_code == 400 and "not published" in nobody.json()["error"]


def check_recorded(server: RtmpServer, key: str, connections: int) -> None:
    files = server.recorded(key)
    assert len(files) == connections
    for file in files:
        sound = sound_in(str(file))
        assert level_of(sound[-RATE_HZ:], RATE_HZ, 700) > 4000
        with av.open(str(file)) as container:
            assert container.streams.video[0].codec_context.name == "h264"


async def test_hls_is_heard_at_low_latency_and_goes_on_over_a_restart(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Live")
    made = await create(
        bridge,
        conference,
        hls={"segmentSeconds": 1, "partSeconds": 0.2},
        picture={"width": 320, "height": 180},
    )
    async with speaking(bridge, conference, 900):
        await until_alive(bridge, conference, made["id"])
        assert level_of((await watch(made["url"], 3))[-RATE_HZ:], RATE_HZ, 900) > 4000
    await bridge.kill()
    await bridge.start()
    await until_alive(bridge, conference, made["id"])
    async with speaking(bridge, conference, 1300):
        await asyncio.sleep(2.5)
        assert level_of((await watch(made["url"], 2))[-RATE_HZ:], RATE_HZ, 1300) > 4000
    listed = await bridge.call("GET", f"/{bridge.application}/{conference}/streamings")
    assert [one["url"] for one in listed.json()] == [made["url"]]


async def test_a_protected_stream_needs_its_token(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Live")
    made = await create(bridge, conference, hls={"segmentSeconds": 1, "protected": True}, picture=None)
    async with speaking(bridge, conference, 900):
        await until_alive(bridge, conference, made["id"])
        assert level_of((await watch(made["url"], 2))[-RATE_HZ:], RATE_HZ, 900) > 4000
        marked = await bridge.call(
            "POST",
            f"/{bridge.application}/{conference}/streamings/{made['id']}/metadata",
            json={"payload": "vote now", "duration": 5},
        )
        assert marked.status_code == 200, marked.text
        async with httpx.AsyncClient() as http:
            media = await http.get(made["url"].replace("index.m3u8", "media.m3u8"))
        told = re.search(r'DATERANGE:ID="[^"]+",START-DATE="[^"]+Z",DURATION=5.*X-PAYLOAD="(.+)"', media.text)
        assert told is not None and base64.b64decode(told[1]) == b"vote now"
        bare = re.sub(r"/t/[^/]+/", "/", made["url"])
        async with httpx.AsyncClient() as http:
            assert (await http.get(bare)).status_code == 403
    token = made["url"].split("/t/")[1].split("/")[0]
    assert token not in bridge.log
    again = await bridge.call("GET", f"/{bridge.application}/{conference}/streamings/{made['id']}")
    assert again.json()["url"] == bare


async def watch(url: str, segments: int) -> NDArray[np.float32]:
    """The newest `segments` whole segments of a stream, once there are so many."""
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            master = await http.get(url)
            assert master.status_code in (200, 404), master.text
            if master.status_code == 200:
                media_url = urljoin(url, [line for line in master.text.splitlines() if line[:1] != "#"][-1])
                media = (await http.get(media_url)).text.splitlines()
                names = [line for line in media if line and line[0] != "#"]
                if len(names) >= segments:
                    break
            await asyncio.sleep(0.2)
        header = [re.findall(r'URI="([^"]+)"', line)[0] for line in media if line.startswith("#EXT-X-MAP")]
        pieces = [await http.get(urljoin(media_url, name)) for name in [*header[-1:], *names[-segments:]]]
        assert all(piece.status_code == 200 for piece in pieces)
    return sound_in(io.BytesIO(b"".join(piece.content for piece in pieces)))
