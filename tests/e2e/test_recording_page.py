"""The operator's page on a real server: a call is recorded, streamed, and heard in the page."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from bridge.harness.plivo_caller import PlivoCaller
from tests.bridge.web.browser import Watched, chromium, open_page
from tests.kit.running_bridge import RunningBridge
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

EAR = """() => {
  const media = document.querySelector(".player video");
  const context = new AudioContext({ sampleRate: 48000 });
  const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
  context.createMediaElementSource(media).connect(analyser);
  context.resume();
  window.hear = () => {
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(spectrum);
    const peak = spectrum.indexOf(Math.max(...spectrum));
    return { pitch: spectrum[peak] > -60 ? Math.round(peak * 48000 / 16384) : 0, at: media.currentTime };
  };
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@contextlib.asynccontextmanager
async def operator(bridge: RunningBridge, browser: Browser, conference: str) -> AsyncIterator[Watched]:
    watched = await open_page(browser, bridge.base)
    page = watched.page
    await page.goto(f"{bridge.base}/operator#{conference}")
    await page.get_by_label("Application id").fill(bridge.application)
    await page.get_by_label("Application token").fill(bridge.token)
    await page.get_by_role("button", name="Enter").click()
    await expect(page.locator(".head .pill", has_text="Live")).to_be_visible()
    yield watched
    watched.assert_clean()
    await page.context.close()


@contextlib.asynccontextmanager
async def speaking(
    bridge: RunningBridge, conference: str, frequency_hz: int, seconds: float = 60
) -> AsyncIterator[None]:
    """A phone that sounds all the while."""
    url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token={bridge.token}"
    async with PlivoCaller(url, tone(frequency_hz, seconds, 16_000).astype(np.int16)):
        yield


async def heard(page: Page, holds: Callable[[dict[str, Any]], bool], within_s: float = 25) -> dict[str, Any]:
    """What the page's ear hears, once it is as it should be."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(within_s):
            while not holds(found := await page.evaluate("hear()")):  # noqa: ASYNC110 - a page is listened to
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"this is what was heard: {found}")
    return found


async def fact(panel: Locator, name: str) -> str:
    cell = panel.locator(".facts > div", has_text=re.compile(f"^{name}"))
    return (await cell.locator("dd").inner_text()).strip()


def kilobytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"B": 0.001, "kB": 1, "MB": 1000}[unit]


async def figure(bridge: RunningBridge, name: str) -> float:
    page = (await bridge.call("GET", "/metrics")).text
    return next(
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith(f"mediabridge_{name} ")
    )


async def test_a_call_is_recorded_paused_resumed_and_heard_on_the_page(
    bridge: RunningBridge, browser: Browser
) -> None:
    conference = await bridge.open_conference("Support line")
    async with operator(bridge, browser, conference) as watched:
        page = watched.page
        panel = page.get_by_role("region", name="Recording")
        pill = panel.locator("header .pill")
        async with speaking(bridge, conference, 440):
            await panel.get_by_role("button", name="Start").click()
            await expect(pill).to_have_text("Recording")
            await expect(panel.locator(".facts")).to_contain_text(re.compile(r"Written\s*[1-9]"))
            before = kilobytes(await fact(panel, "Written"))
            await page.wait_for_timeout(3_000)
            # 48 kHz, 16 bit, of the program and of the caller alone.
            assert 2.0 * 192 < kilobytes(await fact(panel, "Written")) - before < 6 * 192
            assert await figure(bridge, 'outputs{kind="recording",state="running"}') == 1
            row = panel.locator(".files tr", has_text="program.mp4")
            await expect(row).to_contain_text("In the making")
            await panel.get_by_role("button", name="Pause").click()
            await expect(pill).to_have_text("Paused", timeout=20_000)
        async with speaking(bridge, conference, 3000):
            await page.wait_for_timeout(1_500)
        await expect(row).to_contain_text("Whole", timeout=30_000)
        async with speaking(bridge, conference, 1000):
            await panel.get_by_role("button", name="Resume").click()
            await expect(pill).to_have_text("Recording")
            await page.wait_for_timeout(4_000)
            await panel.get_by_role("button", name="Pause").click()
            await expect(pill).to_have_text("Paused", timeout=20_000)
        await expect(panel.locator(".facts")).to_contain_text(re.compile(r"Pauses\s*1"), timeout=30_000)
        await expect(panel.locator(".facts")).to_contain_text("Missing")

        await row.get_by_role("button", name="Play Everybody, MP4").click()
        await expect(panel.locator("video")).to_be_visible()
        await page.evaluate(EAR)
        first = await heard(page, lambda now: now["pitch"] == pytest.approx(440, abs=6), 60)
        await heard(page, lambda now: now["at"] > first["at"] + 1.0)
        line = panel.get_by_role("slider", name="Place in the recording")
        pause = float(await panel.locator(".timeline .pause").evaluate("mark => parseFloat(mark.style.left)"))
        box = await line.bounding_box()
        assert box is not None and 20 < pause < 80
        place = (pause + 15) / 100
        await page.mouse.click(box["x"] + box["width"] * place, box["y"] + box["height"] / 2)
        found = await heard(page, lambda now: now["pitch"] == pytest.approx(1000, abs=6))
        assert found["at"] > 2.5
        assert bridge.token not in await page.content()
    assert await figure(bridge, "recording_bytes_total") > 500_000


async def test_a_conference_is_offered_and_heard_live_on_the_page(
    bridge: RunningBridge, browser: Browser
) -> None:
    conference = await bridge.open_conference("Town hall")
    async with speaking(bridge, conference, 600), operator(bridge, browser, conference) as watched:
        page = watched.page
        panel = page.get_by_role("region", name="Live")
        await panel.get_by_role("button", name="Offer HLS").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Only with a token").check()
        await dialog.get_by_role("button", name="Offer").click()
        address = await dialog.get_by_label("HLS address").first.input_value()
        await dialog.get_by_role("button", name="Done").click()
        row = panel.locator("tbody tr")
        await expect(row.locator(".pill")).to_have_text("Live", timeout=20_000)
        await panel.get_by_role("button", name="Watch HLS").click()
        await expect(panel.locator("video")).to_be_visible()
        await page.evaluate(EAR)
        first = await heard(page, lambda now: now["pitch"] == pytest.approx(600, abs=6))
        await heard(page, lambda now: now["at"] > first["at"] + 2.0)
        await expect(panel.locator(".player .pill")).to_have_text(re.compile(r"^[0-7]\.\d s behind$"))
        await expect(row).to_contain_text("mouth to playlist")
        await expect(row.locator("[data-name=Delay]")).to_contain_text(re.compile(r"^[0-4]\.\d\d / "))
        assert await figure(bridge, 'outputs{kind="hls",state="running"}') == 1
        assert await figure(bridge, 'hls_requests_total{status="200"}') > 3
        assert await figure(bridge, "live_encoder_cpu_seconds_total") > 0
        token = address.split("/")[-2]
        assert token not in await page.content()
        await panel.get_by_role("button", name="End HLS").click()
        await dialog.get_by_role("button", name="End it").click()
        await expect(row).to_have_count(0)
        await expect(page.locator("video")).to_have_count(0)
    assert token not in bridge.log


async def test_a_push_that_fails_says_why_and_never_its_key(bridge: RunningBridge, browser: Browser) -> None:
    conference = await bridge.open_conference("Concert")
    async with operator(bridge, browser, conference) as watched:
        page = watched.page
        panel = page.get_by_role("region", name="Live")
        await panel.get_by_role("button", name="Publish").click()
        dialog = page.get_by_role("dialog")
        url = "rtmp://127.0.0.1:9/app/a-very-secret-key"
        await dialog.get_by_label("Address with the stream").fill(url)
        await dialog.get_by_role("button", name="Publish").click()
        # The gate lets nobody reach this machine's own addresses.
        await expect(dialog.get_by_role("alert").or_(panel.locator(".problem:not(:empty)"))).to_be_visible()
        assert "a-very-secret-key" not in (await page.content())
    assert "a-very-secret-key" not in bridge.log
