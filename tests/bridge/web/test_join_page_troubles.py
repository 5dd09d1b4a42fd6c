"""The join page when something is not as it should be, and when a call is over."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.bridge.web.browser import chromium, open_page
from tests.bridge.web.invited import Invited, connected, problem
from tests.bridge.web.staged_bridge import APPLICATION

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    ("fragment", "name"),
    [
        ("#", "nolink"),
        ("#/nonsense", "badlink"),
        ("#/%E0%A4%A", "badlink"),
        (f"#/{APPLICATION}/CONFERENCE/", "badlink"),
        (f"#/{APPLICATION}/CONFERENCE/not-a-token-we-know", "gone"),
        (f"#/{APPLICATION}/7c9e6679-7425-40de-944b-e07fc1f90ae7/TOKEN", "gone"),
    ],
)
async def test_a_bad_link_says_what_is_wrong_and_takes_another(
    invited: Invited, page: Page, fragment: str, name: str
) -> None:
    fragment = fragment.replace("CONFERENCE", invited.conference.id).replace("TOKEN", invited.token)
    await page.goto(f"{invited.bridge.base}/join{fragment}")
    await problem(page, name)
    await page.get_by_label("Your link").fill("https://example.org/")
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_text("That is not a complete join link.")).to_be_visible()
    await page.get_by_label("Your link").fill(f"  {invited.link}\n")
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator("#lobby")).to_be_visible()


async def test_another_link_pasted_into_the_same_tab_is_followed(invited: Invited, page: Page) -> None:
    bridge = invited.bridge
    await page.goto(invited.link)
    await expect(page.get_by_role("heading", name="Weekly call")).to_be_visible()
    other = await bridge.open_conference("Another call")
    _, token = await bridge.invite(other, "Linus")
    await page.evaluate("link => { location.href = link }", bridge.link(other, token))
    await expect(page.get_by_role("heading", name="Another call")).to_be_visible()


@pytest.mark.parametrize(
    ("microphone", "title"),
    [("denied", "The microphone is blocked"), ("none", "No microphone found")],
)
async def test_without_a_microphone_one_can_still_listen(
    invited: Invited, microphone: str, title: str
) -> None:
    async with chromium(microphone=microphone) as browser:
        watched = await open_page(browser, invited.bridge.base)
        page = watched.page
        await page.goto(invited.link)
        await expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=10_000)
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()
        await expect(page.get_by_role("button", name="Join", exact=True)).to_be_hidden()
        await page.get_by_role("button", name="Listen only").click()
        await connected(page)
        assert "me#primary" not in invited.bridge.stage.offers[0]
        assert "a=msid:conference" in invited.bridge.stage.offers[0]
        await expect(page.get_by_role("button", name="Listening")).to_be_visible()
        watched.assert_clean()


async def test_a_page_without_https_says_so_and_lets_one_listen(invited: Invited, page: Page) -> None:
    # Chromium counts loopback as secure; what a page sees otherwise is that there are no media devices.
    await page.add_init_script(
        "Object.defineProperty(window, 'isSecureContext', { value: false });"
        "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
    )
    await page.goto(invited.link)
    await expect(page.get_by_role("heading", name="No microphone on this page")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    await page.get_by_role("button", name="Listen only").click()
    await connected(page)


async def test_a_broken_connection_is_set_up_again_by_itself(invited: Invited, browser: Browser) -> None:
    watched = await open_page(browser, invited.bridge.base)
    page, stage = watched.page, invited.bridge.stage
    await invited.join(page)
    first = stage.peers[invited.linus.id]
    await stage.break_off(invited.linus.id)
    await expect(page.locator("#call[data-state=reconnecting]")).to_be_visible(timeout=15_000)
    await connected(page)
    assert stage.peers[invited.linus.id] is not first
    await expect(page.locator("#call-notice")).to_be_hidden()
    watched.assert_clean()
    await page.context.close()


async def test_when_media_cannot_get_through_the_page_says_so(invited: Invited, page: Page) -> None:
    invited.bridge.stage.answers_media = False
    await page.goto(invited.link)
    await page.get_by_role("button", name="Join", exact=True).click()
    await problem(page, "blocked")
    await expect(page.get_by_text("sound travels by UDP")).to_be_visible()
    await expect(page.get_by_role("button", name="Listen without UDP")).to_be_visible()
    invited.bridge.stage.answers_media = True
    await page.get_by_role("button", name="Try again").click()
    await connected(page)


async def test_without_udp_one_can_listen_over_the_page_s_own_connection(
    invited: Invited, page: Page
) -> None:
    bridge = invited.bridge
    bridge.stage.answers_media = False
    await page.goto(invited.link)
    await page.get_by_role("button", name="Join", exact=True).click()
    await problem(page, "blocked")
    await page.get_by_role("button", name="Listen without UDP").click()
    await connected(page)
    await expect(page.locator("#call-state")).to_have_text("Connected (slow way)")
    stream = bridge.phone_line
    async with asyncio.timeout(5):
        while not stream.said("clearedAudio"):  # noqa: ASYNC110 - the browser's own time
            await asyncio.sleep(0.02)
    start, played = stream.heard[0], stream.said("playedStream")[0]
    assert start["start"]["mediaFormat"] == {"encoding": "audio/x-l16", "sampleRate": 16000}
    assert (start["sequenceNumber"], played["sequenceNumber"]) == (1, 2)
    assert played["name"] == "half a second"
    # 25 frames of 20 ms were queued before the checkpoint: it may not be said to be played any sooner.
    assert stream.waited_s > 0.45
    await expect(page.get_by_role("button", name="Listening")).to_be_disabled()
    await page.get_by_role("button", name="Leave").click()
    async with asyncio.timeout(5):
        while stream.socket is not None:  # noqa: ASYNC110 - the browser's own time
            await asyncio.sleep(0.02)


async def test_the_end_of_the_conference_is_said(invited: Invited, page: Page) -> None:
    bridge = invited.bridge
    await invited.join(page)
    await bridge.directory.close_conference(invited.conference, by=bridge.by)
    await problem(page, "ended")
    await page.reload()
    await problem(page, "nolink")


async def test_an_expelled_participant_is_told(invited: Invited, page: Page) -> None:
    bridge = invited.bridge
    await invited.join(page)
    await bridge.directory.remove_participant(invited.linus, by=bridge.by)
    await problem(page, "expelled")


async def test_a_link_opened_twice_works_where_it_was_opened_last(invited: Invited, browser: Browser) -> None:
    first = await open_page(browser, invited.bridge.base)
    second = await open_page(browser, invited.bridge.base)
    await invited.join(first.page)
    await invited.join(second.page)
    await problem(first.page, "replaced")
    await expect(second.page.locator("#call[data-state=connected]")).to_be_visible()
    await first.page.context.close()
    await second.page.context.close()


async def test_leaving_stops_the_microphone_and_one_can_come_back(invited: Invited, page: Page) -> None:
    await page.add_init_script(
        "window.tracks = []; const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wish) => {"
        " const stream = await ask(wish); tracks.push(...stream.getTracks()); return stream; };"
    )
    await invited.join(page)
    await page.get_by_role("button", name="Leave").click()
    await problem(page, "left")
    assert await page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]
    await page.get_by_role("button", name="Join again").click()
    await page.get_by_role("button", name="Join", exact=True).click()
    await connected(page)


async def test_while_the_server_is_away_the_page_waits_for_it(invited: Invited, page: Page) -> None:
    await page.route(re.compile(r"detailed=true"), lambda route: route.abort())
    await page.goto(invited.link)
    await problem(page, "offline")
    await page.unroute_all()
    await expect(page.locator("#lobby")).to_be_visible(timeout=10_000)
