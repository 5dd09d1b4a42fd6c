from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from bridge.core.ports import CloseReason
from bridge.people import Audience, Conference, Participant, Role
from tests.bridge.web.browser import DESKTOP, PHONE, open_page, overflow
from tests.bridge.web.operator_desk import enter
from tests.bridge.web.staged_bridge import APPLICATION, HOSTILE_NAMES, TOKEN, StagedBridge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Running:
    """A conference with Ada (browser), a phone, and Zoë who listens."""

    bridge: StagedBridge
    conference: Conference
    ada: Participant
    phone: Participant
    zoe: Participant

    def now(self, participant: Participant) -> Participant:
        return self.bridge.directory.participant(self.conference, participant.id)


@pytest_asyncio.fixture(loop_scope="module")
async def running(bridge: StagedBridge) -> Running:
    conference = await bridge.open_conference("Weekly call")
    return Running(
        bridge,
        conference,
        await bridge.bring(conference, "Ada", level=-20, role=Role.MODERATOR),
        await bridge.bring(conference, "+45 31 12", "plivo"),
        await bridge.bring(conference, "Zoë", role=Role.ATTENDEE, sending=False),
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the browser's own time
            await asyncio.sleep(0.02)


async def test_a_wrong_token_is_refused_and_not_kept(bridge: StagedBridge, page: Page) -> None:
    await page.goto(f"{bridge.base}/operator")
    await page.get_by_label("Application id").fill(APPLICATION)
    await page.get_by_label("Application token").fill("wrong")
    await page.get_by_role("button", name="Enter").click()
    await expect(page.get_by_role("alert")).to_contain_text("not valid")
    await expect(page.locator("#desk")).to_be_hidden()
    assert await page.evaluate("sessionStorage.length + localStorage.length") == 0


async def test_a_token_of_another_application_is_told_apart(bridge: StagedBridge, page: Page) -> None:
    await page.goto(f"{bridge.base}/operator")
    await page.get_by_label("Application id").fill("7c9e6679-7425-40de-944b-e07fc1f90ae7")
    await page.get_by_label("Application token").fill(TOKEN)
    await page.get_by_role("button", name="Enter").click()
    await expect(page.get_by_role("alert")).to_contain_text("another application")


async def test_the_token_is_kept_for_the_tab_until_one_signs_out(bridge: StagedBridge, page: Page) -> None:
    await enter(page, bridge.base)
    assert TOKEN not in page.url
    await page.reload()
    await expect(page.locator("#desk")).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"{bridge.base}/operator")
    await expect(other.get_by_label("Application token")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Application token")).to_have_value("")
    assert await page.evaluate("sessionStorage.length") == 0


async def test_create_invite_rename_and_end(bridge: StagedBridge, page: Page) -> None:
    await enter(page, bridge.base)
    await expect(page.get_by_role("heading", name="No conference yet")).to_be_visible()
    await page.get_by_role("button", name="New", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Quiz night")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="Quiz night")).to_be_visible()
    await expect(page.get_by_role("heading", name="Nobody is invited yet")).to_be_visible()
    (conference,) = bridge.directory.conferences(APPLICATION)

    await page.get_by_role("button", name="Invite", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("Bob")
    await dialog.get_by_label("Role").select_option("presenter")
    await dialog.get_by_role("button", name="Invite").click()
    link = await dialog.get_by_label("Join link").first.input_value()
    stream = await dialog.get_by_label("Stream URL for a bot or phone").first.input_value()
    assert link.startswith(f"{bridge.base}/join#/{APPLICATION}/{conference.id}/")
    token = link.rpartition("/")[2]
    assert stream == f"ws://127.0.0.1:{bridge.port}/{APPLICATION}/{conference.id}/plivo?access_token={token}"
    (bob,) = bridge.directory.participants(conference)
    assert bridge.directory.participant_by_token(token) == bob
    assert (bob.name, bob.role) == ("Bob", Role.PRESENTER)
    await dialog.get_by_role("button", name="Done").click()
    assert token not in await page.content()

    await page.get_by_role("button", name="Rename").click()
    await dialog.get_by_label("Name", exact=True).fill("Quiz evening")
    await dialog.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="Quiz evening")).to_be_visible()

    await page.get_by_role("button", name="End", exact=True).click()
    await dialog.get_by_role("button", name="Cancel").click()
    assert bridge.directory.conferences(APPLICATION)
    await page.get_by_role("button", name="End", exact=True).click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(page.get_by_role("heading", name="No conference yet")).to_be_visible()
    assert bridge.directory.conferences(APPLICATION) == []


async def test_the_copy_button_copies_the_join_link(running: Running, browser: Browser) -> None:
    watched = await open_page(browser, running.bridge.base, permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    await enter(page, running.bridge.base, "Weekly call")
    await page.get_by_role("button", name="Invite", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Invite").click()
    await dialog.get_by_role("button", name="Copy join link").click()
    await expect(page.get_by_text("Join link copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await dialog.get_by_label("Join link").first.input_value()
    await page.context.close()


async def test_every_number_of_a_leg_is_shown(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    ada = page.locator(".participants tr", has_text="Ada")
    for text in ("Browser · Opus", "-20 dBov", "42 ms", "of 40 ms", "0.4 %", "11", "23 ms", "round trip"):
        await expect(ada).to_contain_text(text)
    phone = page.locator(".participants tr", has_text="+45 31 12")
    for text in ("Phone · L16 16 kHz", "61 ms", "behind", "silent"):
        await expect(phone).to_contain_text(text)
    server = page.locator("#server")
    await expect(server).to_contain_text("0.2 / 1.4 ms")
    await expect(server).to_contain_text("2 browser, 1 phone")
    await expect(server).to_contain_text("31 %", timeout=6_000)


async def test_mute_role_and_expulsion_reach_the_conference(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    await page.get_by_role("button", name="Mute Ada").click()
    await expect(page.get_by_role("button", name="Unmute Ada")).to_have_attribute("aria-pressed", "true")
    assert running.now(running.ada).muted
    await expect(page.get_by_role("button", name="+45 31 12 hears Ada: muted")).to_be_visible()
    await page.get_by_role("button", name="Unmute Ada").click()
    await expect(page.get_by_role("button", name="Mute Ada", exact=True)).to_be_visible()
    assert not running.now(running.ada).muted

    await page.get_by_label("Role of Zoë").select_option("speaker")
    await until(lambda: running.now(running.zoe).role is Role.SPEAKER)

    await page.get_by_role("button", name="Remove Ada").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Ada")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert running.now(running.ada)
    await page.get_by_role("button", name="Remove Ada").click()
    await dialog.get_by_role("button", name="Remove").click()
    await expect(page.locator(".participants tr", has_text="Ada")).to_have_count(0)
    people = running.bridge.directory.participants(running.conference)
    assert running.ada.id not in {person.id for person in people}


async def test_a_click_in_the_grid_decides_who_hears_whom(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    cell = page.get_by_role("button", name="Ada hears +45 31 12")
    await expect(cell).to_have_text("on")
    await cell.click()
    await expect(cell).to_have_text("off")
    await until(lambda: running.now(running.ada).hears == {running.phone.id: 0.0})
    await cell.click()
    await expect(cell).to_have_text("on")
    await until(lambda: running.now(running.ada).hears == {})
    attendee = page.get_by_role("button", name="Ada hears Zoë")
    await expect(attendee).to_have_text("off")
    await attendee.click()
    await until(lambda: running.now(running.ada).hears == {running.zoe.id: 1.0})


async def test_a_bot_is_shown_as_one_and_heard_by_its_audience_only(running: Running, page: Page) -> None:
    audience = Audience(hears=frozenset([running.phone.id]), heard_by=frozenset(["moderator"]))
    await running.bridge.bring_bot(running.conference, "Interpreter", audience, level=-25)
    await enter(page, running.bridge.base, "Weekly call")
    row = page.locator(".participants tbody tr", has_text="Interpreter")
    await expect(row.locator(".state")).to_have_text("Bot · L16 16 kHz")
    await expect(row.locator(".face.talking")).to_be_visible()
    for name, text in (
        ("Ada hears Interpreter", "on"),
        ("+45 31 12 hears Interpreter", "off"),
        ("Interpreter hears Ada", "off"),
        ("Interpreter hears +45 31 12", "on"),
    ):
        cell = page.get_by_role("button", name=name)
        await expect(cell).to_have_text(text)
        assert await cell.is_disabled() is (text == "off")
    await page.get_by_role("button", name="Ada hears Interpreter").click()
    await until(lambda: len(running.now(running.ada).hears) == 1)


async def test_no_old_levels_are_shown_while_the_server_does_not_tell_new_ones(
    running: Running, page: Page
) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    await expect(page.locator(".participants .face.talking")).to_have_count(1)
    await expect(page.locator(".grid thead .face.talking")).to_have_count(1)
    running.bridge.stop_telling_levels()
    await expect(page.locator(".pill", has_text="Reconnecting")).to_be_visible()
    await expect(page.locator(".face.talking")).to_have_count(0)


async def test_the_slider_and_the_keyboard_set_a_gain(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    cell = page.get_by_role("button", name="Zoë hears Ada")
    await cell.focus()
    slider = page.get_by_role("slider", name="Zoë hears Ada")
    await slider.fill("0.5")
    await expect(cell).to_have_text("50 %")
    await expect(page.locator(".gain output")).to_have_text("50 % · −6.0 dB")
    await until(lambda: running.now(running.zoe).hears == {running.ada.id: 0.5})
    await cell.focus()
    await page.keyboard.press("-")
    await until(lambda: running.now(running.zoe).hears == {running.ada.id: 0.4})
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("button", name="Zoë hears +45 31 12")).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await page.get_by_role("button", name="As the role says").click()
    await until(lambda: running.now(running.zoe).hears == {})
    await expect(cell).to_have_text("on")


async def test_changes_made_elsewhere_are_seen_at_once(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    bridge = running.bridge
    bob = await bridge.bring(running.conference, "Bob", level=-30)
    await expect(page.locator(".participants tr", has_text="Bob")).to_be_visible()
    await expect(page.get_by_role("button", name="Ada hears Bob")).to_have_text("on")
    await bridge.directory.change_participant(running.ada, by=bridge.by, hears={bob.id: 0.25})
    await expect(page.get_by_role("button", name="Ada hears Bob")).to_have_text("25 %")
    await bridge.stage.disconnect(running.conference.id, bob.id, CloseReason.HANGUP)
    await expect(page.get_by_role("button", name="Ada hears Bob")).to_have_count(0)
    await expect(page.locator(".participants tr", has_text="Bob")).to_contain_text("Not here")
    await page.get_by_label("also those not here").check()
    await expect(page.get_by_role("button", name="Ada hears Bob")).to_have_text("25 %")
    await bridge.directory.close_conference(running.conference, by=bridge.by)
    await expect(page.get_by_text("The conference has ended")).to_be_visible()


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 320, "height": 568}, {"width": 820, "height": 1180}, DESKTOP]
)
async def test_hostile_names_are_text_and_nothing_is_wider_than_the_window(
    running: Running, browser: Browser, size: ViewportSize
) -> None:
    bridge = running.bridge
    for name in HOSTILE_NAMES:
        await bridge.open_conference(name)
        await bridge.bring(running.conference, name, level=-20)
    watched = await open_page(browser, bridge.base, size=size)
    page = watched.page
    await enter(page, bridge.base)
    assert await overflow(page) <= 0
    await page.locator("#conferences button", has_text="Weekly call").click()
    await expect(page.locator(".participants tbody tr")).to_have_count(len(HOSTILE_NAMES) + 3)
    assert set(HOSTILE_NAMES) <= set(await page.locator(".participants .name").all_text_contents())
    assert await overflow(page) <= 0
    await page.locator(".cell").first.click()
    await page.locator(".participants .warns").nth(3).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await overflow(page) <= 0
    assert await page.locator("#main img, #main script, dialog img, dialog script").count() == 0
    watched.assert_clean()
    await page.context.close()


async def test_on_a_phone_the_list_and_a_conference_take_turns(running: Running, browser: Browser) -> None:
    watched = await open_page(browser, running.bridge.base, size=PHONE)
    page = watched.page
    await enter(page, running.bridge.base, "Weekly call")
    await expect(page.locator("#conferences")).to_be_hidden()
    await page.get_by_role("button", name="All conferences").click()
    await expect(page.locator("#conferences")).to_be_visible()
    await expect(page.locator("#main")).to_be_hidden()
    watched.assert_clean()
    await page.context.close()


async def test_many_conferences_can_be_searched(bridge: StagedBridge, page: Page) -> None:
    for number in range(9):
        await bridge.open_conference(f"Line {number}")
    await enter(page, bridge.base)
    await expect(page.locator("#conferences li")).to_have_count(9)
    await page.get_by_label("Find a conference").fill("line 7")
    await expect(page.locator("#conferences li")).to_have_count(1)


async def test_a_failed_change_is_said(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    await page.route(re.compile(r"/operator/api/.*/participants/"), lambda route: route.abort())
    await page.get_by_role("button", name="Mute Ada").click()
    await expect(page.get_by_text("That did not work: The server cannot be reached.")).to_be_visible()
    await expect(page.get_by_role("button", name="Mute Ada", exact=True)).to_be_visible()


async def test_a_failed_change_of_the_grid_or_a_role_is_taken_back(running: Running, page: Page) -> None:
    await enter(page, running.bridge.base, "Weekly call")
    await page.route(re.compile(r"/participants/"), lambda route: route.abort())
    cell = page.get_by_role("button", name="Ada hears +45 31 12")
    await cell.click()
    await expect(page.get_by_text("That did not work")).to_be_visible()
    await expect(cell).to_have_text("on")
    await page.get_by_label("Role of Ada").select_option("attendee")
    await expect(page.get_by_text("That did not work")).to_have_count(2)
    await expect(page.get_by_label("Role of Ada")).to_have_value("moderator")
