"""Both pages against the server as users start it: sound goes through the mixer."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, WebSocket, expect

from tests.bridge.web.browser import Watched, open_page
from tests.bridge.web.invited import connected
from tests.bridge.web.operator_desk import enter
from tests.kit.running_bridge import Invited, RunningBridge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HEARD_DBFS = -55.0
SILENT_DBFS = -75.0

LISTEN = """async (seconds) => {
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(document.getElementById("sound").srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let loudest = 0;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    await new Promise((wake) => setTimeout(wake, 30));
    analyser.getFloatTimeDomainData(samples);
    loudest = Math.max(loudest, Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length));
  }
  await context.close();
  return 20 * Math.log10(loudest + 1e-9);
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def real(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with RunningBridge(tmp_path) as bridge:
        yield bridge


async def open_join(real: RunningBridge, browser: Browser, invited: Invited) -> Watched:
    watched = await open_page(browser, real.base)
    await watched.page.goto(f"{real.base}/join#/{real.application}/{invited.conference}/{invited.token}")
    return watched


async def join(real: RunningBridge, browser: Browser, invited: Invited, how: str = "Join") -> Watched:
    watched = await open_join(real, browser, invited)
    await watched.page.get_by_role("button", name=how, exact=True).click()
    await connected(watched.page)
    return watched


async def loudness(page: Page, seconds: float = 2.0) -> float:
    """The loudest 40 ms of what the page plays, in dBFS."""
    return float(await page.evaluate(LISTEN, seconds))


async def falls_silent(page: Page) -> None:
    """Soon: a change takes its way through the server, and the browser plays what it has."""
    async with asyncio.timeout(20):
        while await loudness(page, 1.5) >= SILENT_DBFS:
            pass


async def sounds(page: Page) -> None:
    """The same the other way."""
    async with asyncio.timeout(20):
        while await loudness(page) <= HEARD_DBFS:
            pass


async def open_operator(real: RunningBridge, browser: Browser, conference: str) -> Page:
    page = (await open_page(browser, real.base)).page
    await enter(page, real.base, conference, application=real.application, token=real.token)
    return page


async def test_two_browsers_hear_each_other_until_the_operator_says_otherwise(
    real: RunningBridge, browser: Browser
) -> None:
    conference = await real.open_conference("Real call")
    ada = await join(real, browser, await real.invite(conference, "Ada"))
    bob = await join(real, browser, await real.invite(conference, "Bob"), "Listen only")
    await expect(bob.page.locator(".tile", has_text="Ada").locator(".face.talking")).to_be_visible(
        timeout=10_000
    )
    await expect(bob.page.locator(".tile", has_text="Bob (you)")).to_contain_text("Listening")
    await expect(ada.page.locator(".tile", has_text="Bob")).to_contain_text("Listening")
    assert await loudness(bob.page) > HEARD_DBFS
    assert await loudness(ada.page) < SILENT_DBFS

    operator = await open_operator(real, browser, "Real call")
    row = operator.locator(".participants tr", has_text="Ada")
    await expect(row).to_contain_text("dBov")
    await expect(row.locator("[data-name=Buffer]")).to_contain_text("ms")

    await operator.get_by_role("button", name="Bob hears Ada").click()
    await falls_silent(bob.page)
    await operator.get_by_role("button", name="Bob hears Ada").click()
    await sounds(bob.page)

    await operator.get_by_role("button", name="Mute Ada").click()
    await expect(ada.page.get_by_text("An operator has muted you")).to_be_visible()
    await falls_silent(bob.page)
    await operator.get_by_role("button", name="Unmute Ada").click()

    await ada.page.get_by_role("button", name="Mute").click()
    await expect(bob.page.locator(".tile", has_text="Ada")).to_contain_text("Listening")
    await ada.page.get_by_role("button", name="Unmute").click()
    await expect(bob.page.locator(".tile", has_text="Ada")).not_to_contain_text("Listening")
    await sounds(bob.page)

    await ada.page.get_by_label("Message", exact=True).fill("Can you hear me?")
    await ada.page.keyboard.press("Enter")
    await expect(bob.page.get_by_role("log")).to_contain_text("Can you hear me?")
    await ada.page.get_by_role("button", name="Leave").click()
    await expect(bob.page.locator(".tile", has_text="Ada")).to_have_count(0, timeout=15_000)
    for watched in (ada, bob):
        watched.assert_clean()
    assert "Traceback" not in real.log
    for watched in (ada, bob):
        await watched.page.context.close()
    await operator.context.close()


async def test_the_page_comes_back_by_itself_after_the_server_was_killed(
    real: RunningBridge, browser: Browser
) -> None:
    conference = await real.open_conference("Lasting call")
    ada = await join(real, browser, await real.invite(conference, "Ada"))
    bob = await join(real, browser, await real.invite(conference, "Bob"), "Listen only")
    await real.kill()
    await expect(ada.page.locator("#call[data-state=reconnecting]")).to_be_visible(timeout=40_000)
    await real.start()
    for watched in (ada, bob):
        await expect(watched.page.locator("#call[data-state=connected]")).to_be_visible(timeout=40_000)
    assert await loudness(bob.page) > HEARD_DBFS
    for watched in (ada, bob):
        await watched.page.context.close()


async def test_without_udp_the_conference_is_heard_over_the_page_s_own_connection(
    real: RunningBridge, browser: Browser
) -> None:
    conference = await real.open_conference("Walled call")
    ada = await join(real, browser, await real.invite(conference, "Ada"))
    bob = await open_join(real, browser, await real.invite(conference, "Bob"))
    loudest = 0.0
    played = 0

    def received(frame: str | bytes) -> None:
        nonlocal loudest, played
        message = json.loads(frame)
        if message["event"] == "playAudio":
            audio = memoryview(base64.b64decode(message["media"]["payload"])).cast("h")
            loudest = max(loudest, math.sqrt(sum(sample * sample for sample in audio) / len(audio)))
            played += 1

    def opened(socket: WebSocket) -> None:
        if "/plivo" in socket.url:
            socket.on("framereceived", received)

    bob.page.on("websocket", opened)
    await bob.page.evaluate(
        "() => { RTCPeerConnection.prototype.setRemoteDescription = ((set) => function (description) {"
        " return set.call(this, { ...description,"
        " sdp: description.sdp.replace(/^a=candidate.*\\r\\n/gm, '') }); })"
        "(RTCPeerConnection.prototype.setRemoteDescription) }"
    )
    await bob.page.get_by_role("button", name="Join", exact=True).click()
    await bob.page.get_by_role("button", name="Listen without UDP").click(timeout=60_000)
    await connected(bob.page)
    await expect(bob.page.locator(".tile", has_text="Ada").locator(".face.talking")).to_be_visible(
        timeout=10_000
    )
    await asyncio.sleep(3)
    assert played > 100
    assert loudest > 300
    await expect(ada.page.locator(".tile", has_text="Bob")).to_contain_text("Phone")
    bob.assert_clean()
    for watched in (ada, bob):
        await watched.page.context.close()
