"""Headless Chromium on the pages of the real server, and as the conference SDK on a page of another origin.

Its microphone plays pulses of a tone: a steady one would be taken for noise and suppressed by the browser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from playwright.async_api import Browser, Page, expect

from bridge.harness.plivo_caller import PlivoCaller
from tests.bridge.web.browser import PHONE, Watched, chromium, open_page
from tests.kit.app_socket import AppSocket
from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import ABSENT_DB, AMPLITUDE, listen, phone, until
from tests.kit.running_bridge import Invited, RunningBridge
from tests.kit.tones import find_tones, tone

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MICROPHONE, CALLER, OTHER = 700, 1000, 1500
HOSTILE = ('<img src=x onerror="alert(1)">', '"><script>alert(2)</script>')
SDK_CLIENT = (Path(__file__).parents[1] / "kit" / "sdk_client.js").read_text()

PITCH = """async ([selector, wanted, seconds]) => {
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(document.querySelector(selector).srcObject).connect(analyser);
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  let found = 0;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end && found !== wanted; ) {
    await new Promise((wake) => setTimeout(wake, 50));
    analyser.getFloatFrequencyData(spectrum);
    const peak = spectrum.indexOf(Math.max(...spectrum));
    found = spectrum[peak] > -60 ? Math.round(peak * 48000 / analyser.fftSize) : 0;
    if (Math.abs(found - wanted) < 5) found = wanted;
  }
  await context.close();
  return found;
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    file = tmp_path_factory.mktemp("microphone") / "pulses.wav"
    pulses = tone(MICROPHONE, 2.0, 16_000, 12_000)
    pulses[(np.arange(len(pulses)) // 4_000) % 2 == 1] = 0  # a quarter of a second on, a quarter off
    soundfile.write(file, pulses.astype(np.int16), 16_000, "PCM_16")
    async with chromium(sound=file) as browser:
        yield browser


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


async def hears_tone(page: Page, wanted: int, seconds: float = 5.0) -> bool:
    """Whether the loudest thing that the join page plays is that tone."""
    return bool(await page.evaluate(PITCH, ["#sound", wanted, seconds]) == wanted)


async def pulses(call: PlivoCaller) -> bool:
    """Whether a phone hears the microphone."""
    return float((await listen(call, 1.0, 0.2)).levels_db(MICROPHONE, 12_000).max()) > -10


async def no_pulses(call: PlivoCaller) -> bool:
    """Whether it does not hear it at all."""
    return float((await listen(call, 1.0, 0.2)).levels_db(MICROPHONE, 12_000).max()) < ABSENT_DB


async def joined(bridge: RunningBridge, browser: Browser, link: str) -> Watched:
    watched = await open_page(browser, bridge.base)
    await watched.page.goto(link)
    await watched.page.get_by_role("button", name="Join", exact=True).click()
    await expect(watched.page.locator("#call[data-state=connected]")).to_be_visible(timeout=20_000)
    return watched


def link_of(bridge: RunningBridge, person: Invited) -> str:
    return f"{bridge.base}/join#/{person.application}/{person.conference}/{person.token}"


async def test_a_phone_and_the_join_page_talk_and_hostile_names_are_text(
    bridge: RunningBridge, browser: Browser, pictures: Path
) -> None:
    conference = await bridge.open_conference(HOSTILE[0])
    ada = await bridge.invite(conference, "Ada")
    caller = await bridge.invite(conference, HOSTILE[1])
    async with AppSocket(bridge, conference) as app, phone(caller.stream_url, CALLER) as call:
        watched = await joined(bridge, browser, link_of(bridge, ada))
        page = watched.page
        assert ada.token not in page.url
        tile = page.locator(".tile", has_text=HOSTILE[1])
        await expect(tile.locator(".face.talking")).to_be_visible(timeout=10_000)
        await expect(tile).to_contain_text("Phone")
        await expect(page.locator("#call-title")).to_have_text(HOSTILE[0])
        assert await page.locator("img[src=x], main script").count() == 0
        assert await hears_tone(page, CALLER)

        await until(lambda: pulses(call), 15)
        heard = await listen(call, 2.0)
        assert min(abs(np.array(list(find_tones(heard.samples, 16_000)))[:1] - MICROPHONE)) < 10
        assert heard.missing([], [CALLER]) == {}
        await page.screenshot(path=pictures / "call.png")

        await page.get_by_label("Message", exact=True).fill("Can you hear me?")
        await page.keyboard.press("Enter")
        sent = await app.wait(lambda one: one.get("resource", {}).get("text") == "Can you hear me?")
        assert sent["resource"]["sentBy"] == ada.id
        said = {"sendTo": conference, "text": "<b>Loud</b> and clear"}
        await bridge.call("POST", f"/{bridge.application}/{conference}/messages", json=said)
        await expect(page.get_by_role("log")).to_contain_text("<b>Loud</b> and clear")

        after = len(app.came)
        await page.get_by_role("button", name="Mute").click()
        await app.about(ada.id, after, media={"audio": False, "video": False})
        await until(lambda: no_pulses(call), 15)
        await page.screenshot(path=pictures / "muted.png")
        after = len(app.came)
        await page.get_by_role("button", name="Unmute").click()
        await app.about(ada.id, after, media={"audio": True, "video": False})
        await until(lambda: pulses(call), 15)

        after = len(app.came)
        await page.get_by_role("button", name="Leave").click()
        await app.about(ada.id, after, online=False)
        await page.screenshot(path=pictures / "left.png")
        watched.assert_clean()
        await page.context.close()


async def test_the_operator_sees_levels_makes_a_phone_deaf_and_expels(
    bridge: RunningBridge, browser: Browser, pictures: Path
) -> None:
    watched = await open_page(browser, bridge.base)
    page = watched.page
    await page.goto(f"{bridge.base}/operator")
    await page.get_by_label("Application id").fill(bridge.application)
    await page.get_by_label("Application token").fill(bridge.token)
    await page.get_by_role("button", name="Enter").click()
    await page.get_by_role("button", name="New", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Made here")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="Made here")).to_be_visible()
    links = {}
    for name in ("Ada", "Phone"):
        await page.get_by_role("button", name="Invite", exact=True).first.click()
        await dialog.get_by_label("Name", exact=True).fill(name)
        await dialog.get_by_role("button", name="Invite").click()
        links[name] = await dialog.get_by_label("Join link").first.input_value()
        stream = await dialog.get_by_label("Stream URL for a bot or phone").first.input_value()
        await dialog.get_by_role("button", name="Done").click()

    ada = await joined(bridge, browser, links["Ada"])
    async with phone(stream, CALLER) as call:
        row = page.locator(".participants tr", has_text="Phone")
        # A sine of 6,000 has -14.7 dB relative to full scale, and -17.8 dBov by its RMS.
        await expect(row).to_contain_text("-18 dBov", timeout=10_000)
        await expect(row).to_contain_text("L16 16 kHz")
        await expect(page.locator(".participants tr", has_text="Ada")).to_contain_text("Opus")
        await until(lambda: pulses(call), 15)
        await page.screenshot(path=pictures / "operator.png")

        await page.get_by_role("button", name="Phone hears Ada").click()
        await expect(page.get_by_role("button", name="Phone hears Ada")).to_have_text("off")
        await until(lambda: no_pulses(call), 15)
        assert await hears_tone(ada.page, CALLER)
        await page.get_by_role("button", name="Phone hears Ada").click()
        await until(lambda: pulses(call), 15)
        await page.set_viewport_size(PHONE)
        await page.screenshot(path=pictures / "operator on a phone.png", full_page=True)
        await page.set_viewport_size({"width": 1280, "height": 800})

        await page.get_by_role("button", name="Remove Ada").click()
        await dialog.get_by_role("button", name="Remove").click()
        await expect(ada.page.locator("#problem")).to_be_visible(timeout=10_000)
        await ada.page.screenshot(path=pictures / "expelled.png")
        assert "removed" in (await ada.page.locator("#problem").inner_text()).lower()
    for one in (watched, ada):
        one.assert_clean()
        await one.page.context.close()


SDK_CALLS = """
window.call = async (method, path, body) => {
  const answer = await fetch(window.uri + path, {
    method,
    headers: {
      "Accept": "application/json",
      "Authorization": `Bearer ${window.token}`,
      "Content-Type": "application/json; charset=UTF-8",
      "Mind-SDK": "Mind Web SDK 5.11.0",
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10000),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
};
window.ask = async (sdp) => {
  const { status, body } = await call("POST", "/", { sdp });
  if (status !== 200) throw new Error(`${status}`);
  return body.sdp;
};
/* What the SDK does when the server is back: a fresh connection, with everything in one offer. */
window.recover = async (labels) => {
  client.pc.close();
  client.labels = {};
  client.lines = {};
  const microphone = client.microphone;
  await client.join();
  const [own] = client.pc.getTransceivers();
  own.direction = "sendonly";
  await own.sender.replaceTrack(microphone);
  client.labels[own.mid] = "me#primary";
  const mids = [];
  for (const label of labels) {
    const transceiver = client.pc.addTransceiver("audio", { direction: "recvonly" });
    client.prefer(transceiver, "audio");
    const mid = String(client.pc.getTransceivers().length);
    client.labels[mid] = label;
    client.listen(mid, transceiver.receiver.track);
    mids.push(mid);
  }
  await client.negotiate();
  return mids;
};
null;
"""


@asynccontextmanager
async def sdk_page(browser: Browser, person: Invited) -> AsyncIterator[Page]:
    """A page of another origin than the server's."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>Elsewhere</title>"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
        writer.close()

    elsewhere = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with elsewhere:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}/")
        await page.evaluate(
            "([uri, token]) => { window.uri = uri; window.token = token; }", [person.uri, person.token]
        )
        await page.evaluate(SDK_CLIENT)
        await page.evaluate(SDK_CALLS)
        yield page
        await context.close()


async def loudest(page: Page, mid: str, wanted: int, seconds: float = 6.0) -> int:
    return int(await page.evaluate(f"client.loudest('{mid}', {wanted}, {seconds})"))


async def test_the_sdk_s_exchange_works_from_another_origin_and_after_a_kill(
    bridge: RunningBridge, browser: Browser
) -> None:
    conference = await bridge.open_conference("Elsewhere")
    me = await bridge.invite(conference, "Me", "moderator")
    caller, other = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Other")
    url = caller.stream_url
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(sdk_page(browser, me))
        await talk_as_the_sdk(bridge, page, me, caller, other)
        await bridge.kill()
        await bridge.start()
        call = await stack.enter_async_context(phone(url, CALLER))
        mids = await page.evaluate("recover(['conference'])")
        assert mids == ["5"]
        assert await loudest(page, "5", CALLER) == CALLER
        await until(lambda: pulses(call), 15)
        path = f"/{bridge.application}/{conference}"
        await bridge.call("DELETE", f"{path}/participants/{me.id}")
        await page.wait_for_function("client.closed")
        texts = await page.evaluate("client.texts")
        assert texts[-1] == "4001" and json.loads(texts[0])["type"] in ("created", "updated")


async def talk_as_the_sdk(
    bridge: RunningBridge, page: Page, me: Invited, caller: Invited, other: Invited
) -> None:
    """Everything an SDK's user does in a call."""
    conference = me.conference
    async with (
        phone(caller.stream_url, CALLER) as call,
        BrowserPeer(ask_over_http(other.uri, other.token)) as peer,
    ):
        await peer.join_as_sdk(publish=Tone(OTHER, AMPLITUDE))
        await page.evaluate("client.join()")
        state = await page.evaluate("call('GET', '/?detailed=true')")
        assert state["status"] == 200 and state["body"]["participants"][0]["id"] == me.id
        await page.evaluate("client.publish('primary')")
        await until(lambda: pulses(call), 15)

        mid = await page.evaluate(f"client.subscribe('{caller.id}#primary')")
        assert await loudest(page, mid, CALLER) == CALLER
        await page.evaluate(f"client.unsubscribe('{mid}')")
        assert await page.evaluate(f"client.subscribe('{other.id}#primary', '{mid}')") == mid
        assert await loudest(page, mid, OTHER) == OTHER
        await page.evaluate(f"client.unsubscribe('{mid}')")
        await page.evaluate(f"client.subscribe('{caller.id}#primary', '{mid}')")
        assert await loudest(page, mid, CALLER) == CALLER
        await page.evaluate(f"client.unsubscribe('{mid}')")
        # The other one falls silent, so that of the mix only the caller is left to be heard.
        await peer.publish(None)
        mix = await page.evaluate(f"client.subscribe('conference', '{mid}')")
        assert await loudest(page, mix, CALLER) == CALLER

        for method, path, body, field in (
            ("PATCH", "/", {"name": "Somewhere"}, "name"),
            ("PATCH", f"/participants/{me.id}", {"name": "Myself"}, "name"),
            ("PATCH", f"/participants/{me.id}", {"language": "de"}, "language"),
        ):
            answer = await page.evaluate("([m, p, b]) => call(m, p, b)", [method, path, body])
            assert (answer["status"], answer["body"][field]) == (200, body[field])
        message = {"sendTo": conference, "text": "from afar", "persistent": False}
        answer = await page.evaluate("(body) => call('POST', '/messages', body)", message)
        assert answer["status"] == 200
        await peer.text(lambda text: "from afar" in text)
        for verb in ("start", "stop"):
            answer = await page.evaluate("(verb) => call('POST', `/recording/${verb}`, {})", verb)
            assert answer["status"] == 200
        path = f"/{bridge.application}/{conference}"
        await bridge.call("PATCH", f"{path}/participants/{other.id}", json={"name": "Renamed"})
        await page.wait_for_function("client.texts.some((text) => text.includes('Renamed'))")


async def test_the_join_page_comes_back_by_itself_after_the_server_was_killed(
    bridge: RunningBridge, browser: Browser, pictures: Path
) -> None:
    conference = await bridge.open_conference("Lasting")
    ada, caller = await bridge.invite(conference, "Ada"), await bridge.invite(conference, "Caller")
    watched = await joined(bridge, browser, link_of(bridge, ada))
    await bridge.kill()
    await expect(watched.page.locator("#call[data-state=reconnecting]")).to_be_visible(timeout=40_000)
    await watched.page.screenshot(path=pictures / "reconnecting.png")
    await bridge.start()
    async with phone(caller.stream_url, CALLER) as call:
        await expect(watched.page.locator("#call[data-state=connected]")).to_be_visible(timeout=40_000)
        await until(lambda: is_heard(watched.page), 20)
        await until(lambda: pulses(call), 15)
    await watched.page.context.close()


async def is_heard(page: Page) -> bool:
    return await hears_tone(page, CALLER, 1.0)
