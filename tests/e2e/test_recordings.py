"""Recordings on a real server: by the Mind API, of calls that speak, over kills and full disks."""

from __future__ import annotations

import asyncio
import io

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.running_bridge import RunningBridge
from tests.kit.tones import level_of, tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

RATE_HZ = 48_000


def sound_of(content: bytes) -> NDArray[np.float32]:
    """The first audio track, mono, at 48 kHz: float32 [n] at int16 scale."""
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(io.BytesIO(content)) as container:
        frames = [
            made.to_ndarray()[0] for frame in container.decode(audio=0) for made in resampler.resample(frame)
        ]
    return 32_768 * np.concatenate(frames)


async def speak(bridge: RunningBridge, conference: str, frequency_hz: int, seconds: float) -> None:
    url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token={bridge.token}"
    sound = tone(frequency_hz, seconds, 16_000).astype(np.int16)
    async with PlivoCaller(url, sound) as caller:
        await caller.finished()


async def fetch(bridge: RunningBridge, path: str, **headers: str) -> httpx.Response:
    """Asks again while it is being finished."""
    headers = {"Authorization": f"Bearer {bridge.token}", **headers}
    async with asyncio.timeout(40), httpx.AsyncClient(base_url=bridge.base, timeout=20) as http:
        while True:
            answer = await http.get(path, headers=headers)
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(0.2)


async def test_what_was_said_is_in_the_recording_and_the_pause_is_not(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Stand-up")
    base = f"/{bridge.application}/{conference}/recording"
    for frequency_hz in (440, 1000):
        assert (await bridge.call("POST", f"{base}/start", json={})).status_code == 200
        await speak(bridge, conference, frequency_hz, 2.0)
        assert (await bridge.call("POST", f"{base}/stop", json={})).status_code == 200
        await speak(bridge, conference, 3000, 1.0)
    video = await fetch(bridge, base)
    assert (video.status_code, video.headers["content-type"]) == (200, "video/mp4")
    sound = sound_of(video.content)
    assert 4.0 < len(sound) / RATE_HZ < 8.0
    half = len(sound) // 2
    assert (
        level_of(sound[half - 60_000 : half - 12_000], RATE_HZ, 440) > 3000
        or level_of(sound[24_000:72_000], RATE_HZ, 440) > 3000
    )
    assert level_of(sound[half + 24_000 : half + 72_000], RATE_HZ, 1000) > 3000
    assert level_of(sound, RATE_HZ, 3000) < 20
    manifest = (await fetch(bridge, f"{base}/manifest")).json()
    assert len(manifest["stretches"]) == 2
    assert len(manifest["pauses"]) == 1
    picture = await fetch(bridge, base, Accept="image/jpeg")
    assert picture.content[:3] == b"\xff\xd8\xff"
    preview = await fetch(bridge, f"{base}/preview")
    assert preview.content[8:12] == b"WEBP"


async def test_a_recording_of_some_has_their_sound_alone_as_it_was_asked_for(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference("Interview")
    base = f"/{bridge.application}/{conference}/recording"
    guest, host = [await bridge.invite(conference, name) for name in ("Guest", "Host")]
    wanted = {
        "formats": ["mp4", "hls"],
        "heard": {"only": [guest.id]},
        "channels": 2,
        "bitrate": 96_000,
        "picture": {"width": 360, "height": 640, "fps": 15, "bitrate": 500_000, "background": "#ff0000"},
        "segmentSeconds": 1,
    }
    assert (await bridge.call("POST", f"{base}/start", json=wanted)).status_code == 200
    async with asyncio.TaskGroup() as both:
        for person, frequency_hz in ((guest, 440), (host, 1000)):
            sound = tone(frequency_hz, 3.0, 16_000).astype(np.int16)
            both.create_task(_call(person.stream_url, sound))
    assert (await bridge.call("POST", f"{base}/stop", json={})).status_code == 200
    video = await fetch(bridge, base)
    heard = sound_of(video.content)
    spoken = heard[int(np.argmax(np.abs(heard) > 2_000)) :][24_000:72_000]
    assert level_of(spoken, RATE_HZ, 440) > 3000
    assert level_of(heard, RATE_HZ, 1000) < 20
    with av.open(io.BytesIO(video.content)) as opened:
        picture, sound_track = opened.streams.video[0], opened.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (360, 640, 15)
        assert (sound_track.channels, sound_track.rate) == (2, RATE_HZ)
    manifest = (await fetch(bridge, f"{base}/manifest")).json()
    assert manifest["heard"] == {"only": [guest.id], "without": []}
    playlist = (await fetch(bridge, f"{base}/files/program-hls-ts/media.m3u8")).text
    assert playlist.count("#EXTINF:1.000000,") >= 2


async def _call(url: str, sound: NDArray[np.int16]) -> None:
    async with PlivoCaller(url, sound) as caller:
        await caller.finished()
