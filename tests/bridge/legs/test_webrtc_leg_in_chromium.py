"""A real browser on a WebRTC leg: the conference SDK's wire exchange, written anew, in headless Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from bridge.core.events import LegClosed
from bridge.core.ports import CloseReason, MixSource, SoloSource
from bridge.legs.webrtc_settings import WebRtcSettings
from tests.kit.opus_sound import decoded, play, tone_packets
from tests.kit.peer_on_leg import PeerOnLeg
from tests.kit.tones import find_tones

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
MICROPHONE = ROOT / "samples" / "tone_440_16k.wav"
PAGE = "http://127.0.0.1:9/"  # answered by the test itself; an origin that may use the microphone

CLIENT = r"""
const sections = (sdp) => sdp.split(/(?=^m=)/m);
window.client = {
  texts: [], labels: {}, closed: false, lines: {},

  async join() {
    const pc = this.pc = new RTCPeerConnection({iceServers: []});
    this.channel = pc.createDataChannel("", {ordered: true, negotiated: true, id: 1});
    this.channel.onmessage = (event) => this.texts.push(event.data);
    this.channel.onclose = () => { this.closed = true; };
    const opened = new Promise((resolve) => { this.channel.onopen = resolve; });
    await this.negotiate();
    await opened;
    for (const kind of ["audio", "video", "audio", "video"]) {
      const init = {direction: "inactive"};
      if (kind === "video") {
        init.sendEncodings = [["l", 4], ["m", 2], ["h", 1]].map(
          ([rid, scale]) => ({rid, active: false, scaleResolutionDownBy: scale}));
      }
      this.prefer(pc.addTransceiver(kind, init), kind);
    }
    await this.negotiate();
  },

  prefer(transceiver, kind) {
    if (kind !== "audio") return;
    const codecs = RTCRtpSender.getCapabilities("audio").codecs;
    const kept = codecs.filter((codec) => /opus|red/.test(codec.mimeType));
    transceiver.setCodecPreferences(kept.sort((a, b) => /red/.test(a.mimeType) - /red/.test(b.mimeType)));
  },

  async negotiate() {
    const pc = this.pc;
    const offer = await pc.createOffer();
    const asked = sections(offer.sdp).map((one) =>
      /^m=(audio|video)/.test(one) && !/ rrtr/.test(one) ? one + "a=rtcp-fb:* rrtr\r\n" : one).join("");
    await pc.setLocalDescription({type: "offer", sdp: asked});
    if (pc.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
      });
    }
    const bare = pc.localDescription.sdp.replace(/\r\na=candidate:.*typ host.*/g, "");
    const labelled = sections(bare).map((one, index) => {
      if (!/^m=(audio|video)/.test(one)) return one;
      const mid = one.match(/a=mid:(\S+)/)[1];
      const label = this.labels[mid] ? `${this.labels[mid]} track-${mid}` : `- ${index - 1}`;
      const named = one.replace(/\r\na=msid:.*/g, "").replace(/\r\na=mid:.*/, `$&\r\na=msid:${label}`);
      return /^m=video/.test(one) && !/a=simulcast/.test(one)
        ? named + "a=rid:l send\r\na=rid:m send\r\na=rid:h send\r\na=simulcast:send ~l;~m;h\r\n"
        : named;
    }).join("");
    const answer = await window.ask(labelled);
    await pc.setRemoteDescription({type: "answer", sdp: answer});
  },

  async publish(name) {
    const slot = name === "primary" ? 0 : 2;
    if (!this.microphone) {
      const stream = await navigator.mediaDevices.getUserMedia({audio: {
        echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
      this.microphone = stream.getAudioTracks()[0];
    }
    const transceiver = this.pc.getTransceivers()[slot];
    transceiver.direction = "sendonly";
    await transceiver.sender.replaceTrack(this.microphone);
    this.labels[transceiver.mid] = "me#" + name;
    await this.negotiate();
  },

  async subscribe(label, mid) {
    let transceiver = this.pc.getTransceivers().find((one) => one.mid === mid);
    if (transceiver) {
      transceiver.direction = "recvonly";
    } else {
      transceiver = this.pc.addTransceiver("audio", {direction: "recvonly"});
      this.prefer(transceiver, "audio");
      mid = String(this.pc.getTransceivers().length);
      this.listen(mid, transceiver.receiver.track);
    }
    this.labels[mid] = label;
    await this.negotiate();
    return mid;
  },

  async unsubscribe(mid) {
    this.pc.getTransceivers().find((one) => one.mid === mid).direction = "inactive";
    delete this.labels[mid];
    await this.negotiate();
  },

  listen(mid, track) {
    const stream = new MediaStream([track]);
    const element = new Audio();
    element.srcObject = stream;
    element.muted = true;
    element.play();
    this.context = this.context || new AudioContext({sampleRate: 48000});
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 16384;
    analyser.smoothingTimeConstant = 0;
    this.context.createMediaStreamSource(stream).connect(analyser);
    this.lines[mid] = {analyser, element};
  },

  /* The loudest frequency, once it stands out; 0 after the time is up. */
  async loudest(mid, wanted, seconds) {
    const {analyser} = this.lines[mid];
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    const until = performance.now() + 1000 * seconds;
    let found = 0;
    while (performance.now() < until) {
      analyser.getFloatFrequencyData(spectrum);
      const peak = spectrum.indexOf(Math.max(...spectrum));
      found = spectrum[peak] > -50 ? Math.round(peak * 48000 / analyser.fftSize) : 0;
      if (Math.abs(found - wanted) < 5) return wanted;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return found;
  },

  leave() { this.channel.close(); this.pc.close(); },
};
"""


def chromium_path() -> str:
    """The browser that the set-up found, else an installed one."""
    noted = ROOT / ".cache" / "chromium.path"
    found = os.environ.get("CHROMIUM") or (noted.read_text().strip() if noted.exists() else None)
    path = found or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium on this machine")
    return path


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
