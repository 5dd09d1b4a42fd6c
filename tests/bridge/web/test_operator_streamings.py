"""The operator's page about streamings: making and ending them, what it shows, and playing HLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from bridge.core.ports import HlsSpec, OutputLook, PushSpec
from bridge.people import Conference
from bridge.streamings import HlsWishes, StreamingWishes
from tests.bridge.web.browser import DESKTOP, PHONE, open_page, overflow
from tests.bridge.web.operator_desk import enter
from tests.bridge.web.recorded_scene import make_recording
from tests.bridge.web.staged_bridge import HOSTILE_NAMES, StagedBridge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

KEY = "rtmps://live.example.com:1936/app/a-secret-key"


@dataclass
class Streamed:
    """A conference, and what the test says of its streamings."""

    bridge: StagedBridge
    conference: Conference

    async def push(self, url: str = KEY) -> None:
        await self.bridge.outputs.streamings.create(self.conference, url, StreamingWishes())

    async def offer(self, folder: Path | None = None, **wishes: Any) -> tuple[str, str]:
        """HLS: its id and address."""
        made = await self.bridge.outputs.streamings.create(
            self.conference, "", StreamingWishes(hls=HlsWishes(**wishes))
        )
        if folder is not None:
            self.bridge.hls.folders[made.id] = folder
        return made.id, made.url

    def show(self, kind: str, state: str = "running", trouble: str = "", **figures: float) -> None:
        self.bridge.outputs.show(OutputLook(kind, state, trouble, figures))  # type: ignore[arg-type]


@pytest_asyncio.fixture(loop_scope="module")
async def streamed(bridge: StagedBridge) -> AsyncIterator[Streamed]:
    yield Streamed(bridge, await bridge.open_conference("Weekly call"))


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a playlist of 14 s."""
    folder = make_recording(tmp_path_factory.mktemp("live") / "r", program=("hls-ts",))
    return folder / "files" / "program-hls-ts"


async def open_panel(page: Page, bridge: StagedBridge) -> Locator:
    await enter(page, bridge.base, "Weekly call")
    return page.get_by_role("region", name="Live")


async def playing(page: Page) -> None:
    """The player's time goes on."""
    async with asyncio.timeout(20):
        while await page.evaluate("document.querySelector('.player video')?.currentTime ?? 0") < 0.3:  # noqa: ASYNC110 - its own time
            await asyncio.sleep(0.05)


async def test_a_conference_is_published_and_its_key_is_shown_nowhere(streamed: Streamed, page: Page) -> None:
    panel = await open_panel(page, streamed.bridge)
    await expect(panel).to_contain_text("Nobody outside can follow this conference")
    await panel.get_by_role("button", name="Publish").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Address with the stream").fill(f"  {KEY} ")
    await dialog.get_by_label("Sound").select_option("mp3")
    await dialog.get_by_label("With a picture").uncheck()
    await dialog.get_by_role("button", name="Publish").click()
    row = panel.locator("tbody tr")
    await expect(row).to_contain_text("live.example.com:1936")
    await expect(row).to_contain_text("RTMPS · MP3 64 kbit/s · no picture")
    (spec,) = streamed.bridge.outputs.made
    assert isinstance(spec, PushSpec)
    assert (spec.url, spec.sound.codec, spec.picture) == (KEY, "mp3", None)
    assert "a-secret-key" not in await page.content()
    await expect(row.get_by_role("button", name="Watch")).to_have_count(0)


async def test_an_address_that_cannot_be_is_refused_in_the_dialog(streamed: Streamed, page: Page) -> None:
    panel = await open_panel(page, streamed.bridge)
    await panel.get_by_role("button", name="Publish").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Address with the stream").fill("http://live.example.com/app")
    await dialog.get_by_role("button", name="Publish").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("rtmp://")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(panel.locator("tbody tr")).to_have_count(0)


async def test_how_a_streaming_goes_is_seen(streamed: Streamed, page: Page) -> None:
    await streamed.push()
    streamed.show("rtmp", "starting", attempts=1)
    panel = await open_panel(page, streamed.bridge)
    row = panel.locator("tbody tr")
    await expect(row).to_contain_text("Connecting")
    streamed.show("rtmp", bytes=12_345_678, attempts=3, connections=2, waiting_ms=1_240, dropped_seconds=1.5)
    for text in ("Live", "since", "1.2 s", "1.5 s left out", "of 3 attempts", "12.3 MB"):
        await expect(row).to_contain_text(text)
    await expect(panel.locator("header .pill")).to_have_text("1 of 1 up")
    why = "the peer does not read what it is sent"
    streamed.show("rtmp", "troubled", why)
    streamed.bridge.outputs.trouble(why)
    await expect(row.locator(".problem")).to_have_text(why)
    await expect(panel.locator("header .pill")).to_have_text("0 of 1 up")
    streamed.show("rtmp", trouble="H.264 is switched off")
    await expect(row).to_contain_text("H.264 is switched off")
    await expect(row.locator(".problem")).to_have_count(0)


async def test_hls_is_offered_with_low_latency_and_shows_its_delay(
    streamed: Streamed, page: Page, segments: Path
) -> None:
    panel = await open_panel(page, streamed.bridge)
    await panel.get_by_role("button", name="Offer HLS").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Everything since its beginning").check()
    await dialog.get_by_role("button", name="Offer").click()
    (spec,) = streamed.bridge.outputs.made
    assert isinstance(spec, HlsSpec)
    assert (spec.part_s, spec.container, spec.whole, spec.token_hash) == (0.5, "fmp4", True, "")
    address = await dialog.get_by_label("HLS address").first.input_value()
    assert address == f"http://bridge/hls/{spec.stream_id}/index.m3u8"
    await dialog.get_by_role("button", name="Done").click()
    streamed.show("hls", delay_p50_ms=640, delay_p99_ms=1_912, waiting_requests=17, bytes=45_000_000)
    row = panel.locator("tbody tr")
    for text in ("HLS · low latency · since its beginning", "0.64 / 1.91 s", "requests wait", "45.0 MB"):
        await expect(row).to_contain_text(text)
    await row.get_by_role("button", name="Address of HLS").click()
    assert await dialog.get_by_label("HLS address").first.input_value() == address


async def test_hls_is_played_on_the_page(streamed: Streamed, page: Page, segments: Path) -> None:
    await streamed.offer(segments)
    panel = await open_panel(page, streamed.bridge)
    await panel.get_by_role("button", name="Watch HLS").click()
    await playing(page)
    assert await page.evaluate("document.querySelector('.player video').videoWidth") == 320
    await expect(panel.get_by_role("button", name="Watch HLS")).to_have_attribute("aria-pressed", "true")
    await panel.get_by_role("button", name="Close the player").click()
    await expect(page.locator("video")).to_have_count(0)
    asked = len(streamed.bridge.hls.asked)
    await asyncio.sleep(1)
    assert len(streamed.bridge.hls.asked) == asked, "nothing is fetched any more"


async def test_one_that_has_not_begun_is_played_when_it_has(
    streamed: Streamed, page: Page, segments: Path
) -> None:
    stream_id, _ = await streamed.offer()
    panel = await open_panel(page, streamed.bridge)
    await panel.get_by_role("button", name="Watch HLS").click()
    await expect(panel.get_by_text("There is nothing to be heard of it yet")).to_be_visible()
    streamed.bridge.hls.folders[stream_id] = segments
    await playing(page)
    await expect(panel.get_by_text("There is nothing to be heard of it yet")).to_be_hidden()


async def test_a_protected_one_is_played_by_whoever_made_it(
    streamed: Streamed, page: Page, segments: Path
) -> None:
    panel = await open_panel(page, streamed.bridge)
    await panel.get_by_role("button", name="Offer HLS").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Only with a token").check()
    await dialog.get_by_role("button", name="Offer").click()
    await expect(dialog).to_contain_text("It is shown this once")
    address = await dialog.get_by_label("HLS address").first.input_value()
    stream_id, token = address.split("/")[-3:-1]
    streamed.bridge.hls.folders[stream_id], streamed.bridge.hls.tokens[stream_id] = segments, token
    await dialog.get_by_role("button", name="Done").click()
    await expect(panel.locator("tbody tr")).to_contain_text("with a token")
    assert token not in await page.content()
    await panel.get_by_role("button", name="Watch HLS").click()
    await playing(page)
    await page.reload()
    await panel.get_by_role("button", name="Address of HLS").click()
    await expect(dialog).to_contain_text("It was shown once")
    await dialog.get_by_role("button", name="Done").click()
    await panel.get_by_role("button", name="Watch HLS").click()
    await expect(panel.get_by_text("This stream needs its token")).to_be_visible()


async def test_a_streaming_is_ended_when_one_is_sure(streamed: Streamed, page: Page) -> None:
    await streamed.push()
    await streamed.offer()
    panel = await open_panel(page, streamed.bridge)
    end = panel.get_by_role("button", name="End RTMPS to live.example.com:1936")
    await end.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("live.example.com:1936")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(panel.locator("tbody tr")).to_have_count(2)
    await page.route("**/streamings/*", lambda route: route.fulfill(status=500, json={"error": "broken"}))
    await end.click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(panel.get_by_role("alert").first).to_contain_text("It was not ended: broken")
    await page.unroute("**/streamings/*")
    await end.click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(panel.locator("tbody tr")).to_have_count(1)
    assert streamed.bridge.outputs.notes[0].told == [("stopped", "stopped")]
    await expect(panel.get_by_role("alert").first).to_be_hidden()


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 320, "height": 568}, {"width": 1000, "height": 800}, DESKTOP]
)
async def test_hostile_words_are_text_and_nothing_is_cut_off(
    streamed: Streamed, browser: Browser, size: ViewportSize, segments: Path
) -> None:
    for name in HOSTILE_NAMES[:9]:
        await streamed.push(f"rtmp://{'sub.' * 40}example.com/app/key")
        streamed.show("rtmp", "troubled", name, bytes=9e12, attempts=9e6, connections=9e6, waiting_ms=9e6)
        await streamed.offer(segments, protected=True, whole=True)
        streamed.show("hls", "troubled", name * 9, delay_p50_ms=9e6, delay_p99_ms=9e7, waiting_requests=9e6)
    watched = await open_page(browser, streamed.bridge.base, size=size)
    page = watched.page
    panel = await open_panel(page, streamed.bridge)
    await expect(panel.locator("tbody tr")).to_have_count(18)
    assert set(HOSTILE_NAMES[:9]) <= set(await panel.locator(".problem").all_text_contents())
    assert await overflow(page) <= 0
    cut = "[...document.querySelectorAll('.panel')].map((panel) => panel.scrollWidth - panel.clientWidth)"
    assert max(await page.evaluate(cut)) <= 0
    assert await page.locator("#main img, #main script").count() == 0
    watched.assert_clean()
    await page.context.close()
