"""A real browser on a WebRTC leg: the conference SDK's wire exchange, written anew, in headless Chromium."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from bridge.core.events import LegClosed
from bridge.core.ports import CloseReason, MixSource, SoloSource
from bridge.legs.webrtc_settings import WebRtcSettings
from tests.kit.chromium import chromium_path
from tests.kit.opus_sound import decoded, play, tone_packets
from tests.kit.peer_on_leg import PeerOnLeg
from tests.kit.tones import find_tones

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
MICROPHONE = ROOT / "samples" / "tone_440_16k.wav"
PAGE = "http://127.0.0.1:9/"  # answered by the test itself; an origin that may use the microphone

CLIENT = (ROOT / "tests" / "kit" / "sdk_client.js").read_text()


@contextlib.asynccontextmanager
async def page_with_client(pair: PeerOnLeg) -> AsyncIterator[Page]:
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={MICROPHONE}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        try:
            page = await browser.new_page()
            await page.route(
                PAGE, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
            )
            await page.expose_function("ask", pair.ask)
            await page.goto(PAGE)
            await page.evaluate(CLIENT)
            yield page
        finally:
            await browser.close()


async def heard(page: Page, pair: PeerOnLeg, mid: str, frequency_hz: int) -> int:
    """What the browser hears in that section while that tone is sent there."""
    playing = asyncio.create_task(play(pair.port.outputs[mid][1], tone_packets(frequency_hz, 4.0)))
    try:
        return int(await page.evaluate(f"client.loudest('{mid}', {frequency_hz}, 3.5)"))
    finally:
        playing.cancel()


async def test_browser_joins_publishes_hears_swaps_and_is_told_the_end() -> None:
    async with PeerOnLeg(WebRtcSettings(loopback_candidate=True)) as pair, page_with_client(pair) as page:
        await page.evaluate("client.join()")
        await pair.connected()
        pair.leg.send('{"type":"updated"}')

        await page.evaluate("client.publish('primary')")
        packets = await pair.port.inputs["primary"].next(60, timeout=10)
        assert list(find_tones(decoded(one[0] for one in packets)[24_000:], 48_000))[0] == 440

        mid = await page.evaluate("client.subscribe('conference')")
        assert pair.port.outputs[mid][0] == MixSource()
        assert await heard(page, pair, mid, 440) == 440

        await page.evaluate(f"client.unsubscribe('{mid}')")
        assert mid not in pair.port.outputs
        assert await page.evaluate(f"client.subscribe('bob#primary', '{mid}')") == mid
        assert pair.port.outputs[mid][0] == SoloSource("bob")
        assert await heard(page, pair, mid, 1000) == 1000

        await page.evaluate(f"client.unsubscribe('{mid}')")
        await page.evaluate(f"client.subscribe('conference', '{mid}')")
        assert await heard(page, pair, mid, 440) == 440

        await page.evaluate("client.publish('secondary')")
        await pair.port.inputs["secondary"].next(20, timeout=10)

        look = pair.leg.look()
        assert look.loss is not None and look.loss < 0.05
        assert look.round_trip_ms is not None and look.round_trip_ms < 500
        assert len(pair.all) == 1

        await pair.leg.close(CloseReason.EXPELLED)
        await page.wait_for_function("client.closed")
        assert await page.evaluate("client.texts") == ['{"type":"updated"}', "4001"]


async def test_browser_that_leaves_ends_its_leg_at_once() -> None:
    async with PeerOnLeg(WebRtcSettings(loopback_candidate=True)) as pair, page_with_client(pair) as page:
        await page.evaluate("client.join()")
        await page.evaluate("client.leave()")
        await pair.port.event(lambda event: isinstance(event, LegClosed), timeout=5)


PLAIN = r"""
(async () => {
  const pc = window.pc = new RTCPeerConnection({iceServers: []});
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  const channel = window.channel = pc.createDataChannel("texts");
  window.texts = [];
  channel.onmessage = (event) => window.texts.push(event.data);
  await pc.setLocalDescription();
  const answer = await window.ask(pc.localDescription.sdp);
  await pc.setRemoteDescription({type: "answer", sdp: answer});
  await new Promise((resolve) => { channel.onopen = resolve; });
  client.listen("0", pc.getTransceivers()[0].receiver.track);
})()
"""


async def test_plain_browser_client_with_video_and_its_own_channel_works() -> None:
    async with PeerOnLeg(WebRtcSettings(loopback_candidate=True)) as pair, page_with_client(pair) as page:
        await page.evaluate(PLAIN)
        await pair.port.inputs["primary"].next(20, timeout=10)
        assert await heard(page, pair, "0", 700) == 700
        pair.leg.send("hello")
        await page.wait_for_function("texts.length == 1")
        await page.evaluate("pc.close()")
        await pair.port.event(lambda event: isinstance(event, LegClosed), timeout=5)
