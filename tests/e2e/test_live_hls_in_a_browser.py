"""Headless Chromium plays live HLS with hls.js: sound, picture, captions and timed metadata."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from bridge.outputs.date_range import DateRange
from bridge.outputs.live_wire import Caption, CaptionSpec, HlsSpec, PictureSpec
from tests.bridge.web.browser import chromium, open_page
from tests.e2e.test_live_hls import steady
from tests.kit.hls_js import hls_js
from tests.kit.served_hls import LiveHouse, served_hls

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PLAYER = """async (url) => {
  const video = document.createElement("video");
  document.body.append(video);
  const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 });
  window.seen = { captions: [], metadata: [], errors: [], parts: 0 };
  hls.on(Hls.Events.ERROR, (_, told) => {
    if (told.details !== "aborted") seen.errors.push(`${told.details} ${told.error?.message}`);
  });
  hls.on(Hls.Events.FRAG_BUFFERED, (_, told) => { if (told.part) seen.parts++; });
  video.textTracks.addEventListener("addtrack", ({ track }) => {
    track.mode = track.kind === "metadata" ? "hidden" : "showing";
    track.addEventListener("cuechange", () => {
      for (const cue of track.activeCues) {
        if (track.kind === "metadata") seen.metadata.push([cue.value?.key, cue.value?.data]);
        else seen.captions.push([cue.text, cue.startTime, video.currentTime]);
      }
    });
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => { hls.subtitleTrack = 0; hls.subtitleDisplay = true; });
  const context = new AudioContext({ sampleRate: 48000 });
  const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
  context.createMediaElementSource(video).connect(analyser);
  context.resume();
  video.play();
  window.look = () => {
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(spectrum);
    const peak = spectrum.indexOf(Math.max(...spectrum));
    return { pitch: spectrum[peak] > -60 ? Math.round(peak * 48000 / 16384) : 0, at: video.currentTime,
             size: [video.videoWidth, video.videoHeight], latency: hls.latency,
             low: hls.latestLevelDetails?.partTarget ?? 0, playing: hls.playingDate?.getTime() ?? 0,
             stalled: video.getVideoPlaybackQuality().droppedVideoFrames, ...seen };
  };
}"""


async def watch(page: Page, house: LiveHouse, url: str) -> None:
    # Another origin than the stream's: players live on other people's pages.
    await page.goto(house.http.replace("127.0.0.1", "localhost") + "/player")
    await page.add_script_tag(content=hls_js())
    await page.evaluate(PLAYER, url)


async def until(page: Page, holds: Any, within_s: float = 25) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(within_s):
            while not holds(found := await page.evaluate("look()")):  # noqa: ASYNC110 - a page is looked at
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"this is what was there: {found}")
    return found


@pytest.mark.parametrize("low", [True, False], ids=["low latency", "segments"])
async def test_chromium_plays_a_live_stream_with_captions_and_metadata(tmp_path: Path, low: bool) -> None:
    spec = HlsSpec(
        "fmp4" if low else "ts",
        picture=PictureSpec(320, 180),
        segment_s=2.0,
        part_s=0.5 if low else None,
        captions=CaptionSpec(),
    )
    async with served_hls(tmp_path) as house, chromium() as browser:
        live = house.add("live", spec)
        living = asyncio.create_task(house.go_live(steady))
        # Players stay back from the end: without parts there must be a few segments before they begin.
        async with asyncio.timeout(20):
            while live.stream.figures().segments < (2 if low else 3):
                await live.stream.changed.wait()
        watched = await open_page(browser, house.http)
        await watch(watched.page, house, house.url("live"))
        found = await until(watched.page, lambda seen: seen.get("pitch") == pytest.approx(600, abs=6))
        assert found["size"] == [320, 180]
        now = house.tick
        house.encoder.caption(Caption(now - 60, now + 150, "Good evening", "Ann"))
        live.stream.mark(
            DateRange("poll-1", time.time() * 1_000, 3.0, (("X-100MSLIVE-PAYLOAD", "eyJwYXlsb2FkIjoiIn0="),))
        )
        found = await until(watched.page, lambda seen: seen.get("captions") and seen.get("metadata"))
        assert found["captions"][0][0] in ("Good evening", "<v Ann>Good evening</v>")
        assert ["X-100MSLIVE-PAYLOAD", "eyJwYXlsb2FkIjoiIn0="] in found["metadata"]
        before = found["at"]
        await asyncio.sleep(3)
        found = await watched.page.evaluate("look()")
        assert found["at"] - before > 2.5, "it goes on"
        assert [
            error for error in found["errors"] if error != "aborted Aborted"
        ] == []  # by the player itself
        if low:
            assert found["parts"] > 3 and found["low"] == pytest.approx(0.5)
            assert found["latency"] < 4
        # What is seen now was said so long ago as the player says.
        assert time.time() * 1_000 - found["playing"] == pytest.approx(found["latency"] * 1_000, abs=1_500)
        living.cancel()
        assert watched.problems == []
