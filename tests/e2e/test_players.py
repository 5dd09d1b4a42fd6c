"""Players on a real server, by the API: a file, an RTMP stream and HLS, heard by a caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.media_site import hls_files, media_site
from tests.kit.players import coded
from tests.kit.rtmp_server import rtmp_server
from tests.kit.rtmp_speaker import speaking
from tests.kit.running_bridge import RunningBridge
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e

LOUD = 8_000.0
KEY = "a-secret-stream-key"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    media = tmp_path / "media"
    media.mkdir()
    (media / "long.flac").write_bytes(coded(tone(440, 60.0, 48_000, LOUD), "flac", "flac"))
    (media / "short.mp3").write_bytes(coded(tone(440, 1.5, 44_100, LOUD), "mp3", "libmp3lame", 44_100))
    environment = {
        "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true",
        "MEDIABRIDGE_PLAYERS_DIRECTORIES": str(media),
        "MEDIABRIDGE_LOG_LEVEL": "debug",
    }
    async with RunningBridge(tmp_path / "server", environment) as running:
        yield running
    assert "Traceback" not in running.log
    assert KEY not in running.log


@asynccontextmanager
async def listening(bridge: RunningBridge, conference: str) -> AsyncIterator[PlivoCaller]:
    url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token={bridge.token}"
    async with PlivoCaller(url) as caller:
        yield caller


async def level(caller: PlivoCaller, frequency_hz: int, seconds: float = 0.5) -> float:
    """Of a tone, in what the caller hears from now on."""
    before = len(caller.heard)
    await asyncio.sleep(seconds + 0.1)
    return level_of(caller.heard[before:], caller.format.rate_hz, frequency_hz)


async def until(holds: Callable[[], Any], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)


async def until_heard(caller: PlivoCaller, loudness: float) -> None:
    """So loud, for half a second without a break: a busy machine's late ticks cost frames."""

    async def heard() -> bool:
        return await level(caller, 440) == pytest.approx(loudness, rel=0.05, abs=5)

    await until(heard)


async def play(bridge: RunningBridge, conference: str, **source: Any) -> httpx.Response:
    body = {"name": "Player", "source": source}
    return await bridge.call("POST", f"/{bridge.application}/{conference}/participants", json=body)


async def state_of(bridge: RunningBridge, conference: str, player: str) -> str:
    people = await bridge.participants(conference)
    return str(people[player]["source"]["state"]) if player in people else "gone"


async def test_a_file_is_played_softer_paused_and_ended(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Music")
    async with listening(bridge, conference) as caller:
        made = (await play(bridge, conference, file="long.flac", volume=50)).json()
        path = f"/{bridge.application}/{conference}/participants/{made['id']}"
        assert made["source"] == {"state": "connecting", "volume": 50.0, "loop": False, "paused": False}

        async def sounds() -> bool:
            return await state_of(bridge, conference, made["id"]) == "connected"

        await until(sounds)
        await until_heard(caller, LOUD / 2)
        louder = await bridge.call("PATCH", path, json={"source": {"volume": 200}})
        assert louder.json()["source"]["volume"] == 200
        await until_heard(caller, LOUD * 2)
        await bridge.call("PATCH", path, json={"source": {"paused": True, "volume": 100}})
        await until_heard(caller, 0)
        await bridge.call("PATCH", path, json={"source": {"paused": False}})
        await until_heard(caller, LOUD)
        assert (await bridge.call("DELETE", path)).status_code == 200
        await until_heard(caller, 0)

        kept = (await play(bridge, conference, file="short.mp3", keep=True)).json()["id"]
        short = (await play(bridge, conference, file="short.mp3")).json()["id"]

        async def is_over() -> bool:
            return await state_of(bridge, conference, short) == "gone"

        await until(is_over)
        assert await state_of(bridge, conference, kept) == "closed"
        again = f"/{bridge.application}/{conference}/participants/{kept}"
        assert (await bridge.call("PATCH", again, json={"source": {"loop": True}})).status_code == 200
        await asyncio.sleep(2.5)
        assert await level(caller, 440) > LOUD / 2


async def test_only_the_application_plays_and_sees_what_is_played(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Music")
    moderator = await bridge.invite(conference, "Mo", "moderator")
    made = (await play(bridge, conference, file="long.flac")).json()
    path = f"/{bridge.application}/{conference}/participants/{made['id']}"
    seen = await bridge.call("GET", path, moderator.token)
    assert "source" not in seen.json()
    changed = await bridge.call("PATCH", path, moderator.token, json={"source": {"volume": 0}})
    assert changed.status_code == 403
    renamed = await bridge.call("PATCH", path, moderator.token, json={"name": "Jukebox"})
    assert (renamed.status_code, "source" in renamed.json()) == (200, False)
    for source in (
        {"file": "../server/data/application.json"},
        {"file": "/etc/passwd"},
        {"file": "missing.wav"},
        {"url": "file:///etc/passwd"},
        {"url": "http://169.254.169.254/latest"},
        {"url": "rtmp://host/app/key", "file": "long.flac"},
        {"file": "long.flac", "volume": 201},
    ):
        answer = await play(bridge, conference, **source)
        assert answer.status_code == 400, source
        assert "server/data" not in answer.text
    everybody = await bridge.participants(conference)
    assert set(everybody) == {moderator.id, made["id"]}
    nobody = f"/{bridge.application}/{conference}/participants/{moderator.id}"
    assert (await bridge.call("PATCH", nobody, json={"source": {"volume": 1}})).status_code == 400


async def test_streams_are_pulled_into_a_conference(bridge: RunningBridge, tmp_path: Path) -> None:
    hls_files(tmp_path / "hls", tone(900, 8.0, 48_000, LOUD), hls_segment_type="fmp4")
    conference = await bridge.open_conference("Streams")
    async with media_site() as site, listening(bridge, conference) as caller:
        site.folder(tmp_path / "hls")
        with rtmp_server(tmp_path / "nginx") as server, speaking(server.url(KEY), 700):
            live = (await play(bridge, conference, url=server.url(KEY + "?token=x"))).json()["id"]
            vod = (await play(bridge, conference, url=site.url("/index.m3u8"), loop=True)).json()["id"]

            async def both() -> bool:
                states = [await state_of(bridge, conference, one) for one in (live, vod)]
                return states == ["connected", "connected"]

            async def heard() -> bool:
                return [await level(caller, hz) for hz in (700, 900)] == pytest.approx([LOUD, LOUD], rel=0.2)

            await until(both)
            await until(heard)
            server.stop()

            async def interrupted() -> bool:
                return await state_of(bridge, conference, live) == "interrupted"

            await until(interrupted)
            server.start_again()
            with speaking(server.url(KEY), 500):

                async def back() -> bool:
                    return await state_of(bridge, conference, live) == "connected"

                async def heard_again() -> bool:
                    return await level(caller, 500) > LOUD / 2

                await until(back, 30)
                await until(heard_again)
    assert np.abs(caller.heard).max() > 0
