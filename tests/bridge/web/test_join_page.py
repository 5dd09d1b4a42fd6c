"""The join page while all is well: the lobby, the call, who is there, and what they write."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, Page, Route, ViewportSize, expect

from bridge.core.ports import CloseReason
from bridge.people import Audience, Role
from tests.bridge.web.browser import PHONE, open_page, overflow
from tests.bridge.web.invited import Invited, connected, problem
from tests.bridge.web.staged_bridge import HOSTILE_NAMES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_the_lobby_shows_where_one_goes_and_that_the_microphone_works(
    invited: Invited, page: Page
) -> None:
    await page.goto(invited.link)
    await expect(page.get_by_role("heading", name="Weekly call")).to_be_visible()
    await expect(page.get_by_text("One person is here.")).to_be_visible()
    await expect(page.get_by_label("Your name")).to_have_value("Linus")
    await expect(page.get_by_role("button", name="Join", exact=True)).to_be_enabled()
    meter = page.get_by_role("meter", name="Microphone level")
    await expect(meter).not_to_have_attribute("aria-valuenow", "0", timeout=10_000)


async def test_the_token_leaves_the_address_bar_and_a_reload_still_knows_it(
    invited: Invited, page: Page
) -> None:
    await page.goto(invited.link)
    await expect(page.locator("#lobby")).to_be_visible()
    assert page.url == f"{invited.bridge.base}/join"
    await page.reload()
    await expect(page.get_by_role("heading", name="Weekly call")).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"{invited.bridge.base}/join")
    await problem(other, "nolink")


async def test_joining_sends_the_microphone_and_hears_the_conference(invited: Invited, page: Page) -> None:
    await invited.join(page)
    (offer,) = invited.bridge.stage.offers
    sections = offer.split("\r\nm=")[1:]
    assert sections[0].startswith("application")
    assert "a=msid:me#primary" in sections[1] and "a=sendonly" in sections[1]
    assert "a=msid:conference" in sections[2] and "a=recvonly" in sections[2]
    await expect(page.locator(".tile", has_text="Linus (you)")).to_be_visible()
    ada = page.locator(".tile", has_text="Ada")
    await expect(ada).to_contain_text("Moderator")
    await expect(ada).to_contain_text("Browser")
    await expect(ada.locator(".face.talking")).to_be_visible()
    assert await page.evaluate("document.getElementById('sound').srcObject.getAudioTracks().length") == 1
    await expect(page.locator("#call-figures")).to_contain_text("round trip", timeout=10_000)


async def test_a_new_name_is_told_to_the_conference(invited: Invited, page: Page) -> None:
    await page.goto(invited.link)
    await page.get_by_label("Your name").fill("Linus B.")
    await page.get_by_role("button", name="Join", exact=True).click()
    await connected(page)
    await expect(page.locator(".tile", has_text="Linus B. (you)")).to_be_visible()
    directory = invited.bridge.directory
    assert directory.participant(invited.conference, invited.linus.id).name == "Linus B."


async def test_muting_is_renegotiated_on_the_same_session(invited: Invited, browser: Browser) -> None:
    watched = await open_page(browser, invited.bridge.base)
    page, stage = watched.page, invited.bridge.stage
    await invited.join(page)
    peer = stage.peers[invited.linus.id]
    await page.get_by_role("button", name="Mute").click()
    await expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".tile", has_text="Linus (you)")).to_contain_text("Muted")
    async with asyncio.timeout(5):
        while len(stage.offers) < 2:  # noqa: ASYNC110 - the browser's own time
            await asyncio.sleep(0.02)
    assert "me#primary" not in stage.offers[1]
    await page.keyboard.press("m")
    async with asyncio.timeout(5):
        while len(stage.offers) < 3:  # noqa: ASYNC110 - the browser's own time
            await asyncio.sleep(0.02)
    assert "me#primary" in stage.offers[2]
    assert stage.peers[invited.linus.id] is peer
    await connected(page)
    watched.assert_clean()
    await page.context.close()


async def test_a_bot_is_shown_as_one_with_its_level(invited: Invited, page: Page) -> None:
    await invited.bridge.bring_bot(invited.conference, "Interpreter", Audience(), level=-25)
    await invited.join(page)
    bot = page.locator(".tile", has_text="Interpreter")
    await expect(bot).to_contain_text("Bot")
    await expect(bot.locator(".face.talking")).to_be_visible()


async def test_no_old_levels_are_shown_while_the_server_does_not_tell_new_ones(
    invited: Invited, page: Page
) -> None:
    await invited.join(page)
    ada = page.locator(".tile", has_text="Ada")
    await expect(ada.locator(".face.talking")).to_be_visible()
    invited.bridge.stop_telling_levels()
    await expect(ada.locator(".face.talking")).to_have_count(0)
    await expect(ada).to_contain_text("Browser")


async def test_every_drawing_is_there_while_the_server_is_away(invited: Invited, page: Page) -> None:
    await invited.join(page)
    await page.context.set_offline(True)
    await page.route("**", lambda route: route.abort())
    await invited.bridge.stage.break_off(invited.linus.id)
    await expect(page.locator("#call[data-state=reconnecting]")).to_be_visible(timeout=15_000)
    await page.get_by_role("button", name="Mute", exact=True).click()
    for where in ("#call-notice", "#dock-mute", "#dock-leave"):
        box = await page.locator(f"{where} svg.icon path").evaluate("(path) => path.getBBox().width")
        assert box > 5, where


async def test_people_come_go_and_change_while_one_looks(invited: Invited, page: Page) -> None:
    bridge = invited.bridge
    await invited.join(page)
    bob = await bridge.bring(invited.conference, "Bob", "plivo", level=-30)
    tile = page.locator(".tile", has_text="Bob")
    await expect(tile).to_contain_text("Phone")
    await bridge.directory.change_participant(bob, by=bridge.by, name="Robert", role=Role.PRESENTER)
    await expect(page.locator(".tile", has_text="Robert")).to_contain_text("Presenter")
    await bridge.directory.change_participant(bob, by=bridge.by, muted=True)
    await expect(page.locator(".tile", has_text="Robert")).to_contain_text("Muted by operator")
    await bridge.directory.change_conference(invited.conference, by=bridge.by, name="Daily call")
    await expect(page.locator("#call-title")).to_have_text("Daily call")
    await bridge.stage.disconnect(invited.conference.id, bob.id, CloseReason.HANGUP)
    await expect(page.locator(".tile", has_text="Robert")).to_have_count(0)


async def test_who_comes_while_the_page_asks_who_is_there_stays(invited: Invited, page: Page) -> None:
    bridge, bob = invited.bridge, page.locator(".tile", has_text="Bob")
    given = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await bridge.bring(invited.conference, "Bob", "plivo")
        await expect(bob).to_be_visible()
        await route.fulfill(response=answer)
        given.set()

    await page.goto(invited.link)
    await expect(page.get_by_role("button", name="Join", exact=True)).to_be_enabled()
    await page.route(re.compile(r"detailed=true"), answer_late, times=1)
    await page.get_by_role("button", name="Join", exact=True).click()
    await asyncio.wait_for(given.wait(), 15)
    await page.wait_for_timeout(300)  # the page's own time to take the answer in
    await expect(bob).to_be_visible()


async def test_messages_go_both_ways_and_to_one_alone(invited: Invited, page: Page) -> None:
    sent = []
    invited.bridge.directory.subscribe(lambda change: sent.append(change))
    await invited.join(page)
    await invited.write("Hello\nthere")
    await invited.write("Between us", to=invited.linus.id)
    log = page.get_by_role("log")
    await expect(log).to_contain_text("Hello")
    await expect(log.locator(".private")).to_contain_text("Between us")
    await page.get_by_label("Message", exact=True).fill("Hi Ada")
    await page.keyboard.press("Enter")
    await expect(log.locator(".mine")).to_contain_text("Hi Ada")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("")
    await page.get_by_label("Write to").select_option(label="To Ada only")
    await page.get_by_label("Message", exact=True).fill("psst")
    await page.get_by_role("button", name="Send").click()
    await expect(log.locator(".mine.private")).to_contain_text("to Ada")
    assert await log.locator(".message").count() == 4


async def test_on_a_phone_unread_messages_are_counted_until_they_are_read(
    invited: Invited, browser: Browser
) -> None:
    watched = await open_page(browser, invited.bridge.base, size=PHONE)
    page = watched.page
    await invited.join(page)
    await invited.write("One")
    await invited.write("Two")
    await expect(page.locator("#dock-unread")).to_have_text("2")
    await page.get_by_role("button", name="Messages, 2 unread").click()
    await expect(page.get_by_role("log")).to_contain_text("Two")
    await page.keyboard.press("Escape")
    await expect(page.locator("#dock-unread")).to_be_hidden()
    assert await overflow(page) <= 0
    watched.assert_clean()
    await page.context.close()


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 568}, {"width": 1280, "height": 800}])
async def test_hostile_names_and_messages_are_text_and_stay_inside_the_window(
    invited: Invited, browser: Browser, size: ViewportSize
) -> None:
    watched = await open_page(browser, invited.bridge.base, size=size)
    page, bridge = watched.page, invited.bridge
    await bridge.directory.change_conference(
        invited.conference, by=bridge.by, name=HOSTILE_NAMES[0] + "W" * 150
    )
    for name in HOSTILE_NAMES:
        await bridge.bring(invited.conference, name, level=-25)
    await page.goto(invited.link)
    await expect(page.locator("#lobby")).to_be_visible()
    assert await overflow(page) <= 0
    await page.get_by_role("button", name="Join", exact=True).click()
    await connected(page)
    for name in HOSTILE_NAMES:
        await invited.write(name)
    await expect(page.locator(".tile")).to_have_count(len(HOSTILE_NAMES) + 2)
    shown = await page.locator(".tile .name").all_text_contents()
    assert set(HOSTILE_NAMES) <= set(shown)
    await expect(page.locator(".message .text")).to_have_count(len(HOSTILE_NAMES))
    assert await page.locator(".message .text").all_text_contents() == list(HOSTILE_NAMES)
    assert await page.locator("#call img, #call script, #call iframe").count() == 0
    assert await overflow(page) <= 0
    wide = "(e) => e.scrollWidth > e.clientWidth + 1"
    assert await page.evaluate(f"[...document.querySelectorAll('.tile, .dock')].filter({wide}).length") == 0
    watched.assert_clean()
    await page.context.close()
