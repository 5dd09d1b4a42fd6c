"""The operator's page about streams: what it shows of each, and that it ends them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from bridge.people import Audience, Conference, Participant
from tests.bridge.web.browser import DESKTOP, PHONE, open_page, overflow
from tests.bridge.web.operator_desk import enter
from tests.bridge.web.staged_bridge import HOSTILE_NAMES, StagedBridge
from tests.bridge.web.staged_streams import gaps, playing, stream

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Forked:
    """A conference with Ada and a phone."""

    bridge: StagedBridge
    conference: Conference
    ada: Participant
    phone: Participant

    def change(self, stream_id: str, **more: Any) -> None:
        self.bridge.streams.change(self.conference.id, stream_id, **more)

    def add(self, stream_id: str, of: Participant | None = None, **more: Any) -> None:
        self.bridge.streams.add(self.conference.id, stream(stream_id, of, **more))

    def add_roster(self) -> None:
        parts = (stream("a", self.ada), stream("b", self.phone, state="interrupted", lost=3))
        states = {"connected": 1, "interrupted": 1}
        self.add("r", roster=True, parts=parts, part_states=states, track="participants", lost=3)


@pytest_asyncio.fixture(loop_scope="module")
async def forked(bridge: StagedBridge) -> Forked:
    conference = await bridge.open_conference("Weekly call")
    ada = await bridge.bring(conference, "Ada", level=-20)
    return Forked(bridge, conference, ada, await bridge.bring(conference, "+45 31 12", "plivo"))


async def test_a_conference_without_streams_says_how_to_begin_one(forked: Forked, page: Page) -> None:
    await enter(page, forked.bridge.base, "Weekly call")
    panel = page.get_by_role("region", name="Streams to services")
    await expect(panel).to_contain_text("No call is streamed")
    await expect(panel.locator("table")).to_be_hidden()


async def test_all_that_is_known_of_a_stream_is_shown(forked: Forked, page: Page) -> None:
    forked.add(
        "s1", forked.ada, name="Mood", host="mood.example:8443", track="both", lost=55, gaps=gaps(5),
        more_gaps=2, waiting_ms=12_600, waiting_share=0.315,
    )  # fmt: skip
    bot = await forked.bridge.bring_bot(forked.conference, "Interpreter", Audience())
    forked.add("s2", bot_id=bot.id, host="bot.example", play=playing(underruns=2))
    await enter(page, forked.bridge.base, "Weekly call")
    row = page.locator(".streams tbody tr", has_text="Ada")
    for text in (
        "Mood", "mood.example:8443", "both tracks · L16 16 kHz", "Connected", "4 min 7 s", "12.6 s", "32 %",
        "12,349", "of 12,350", "55", "1.1 s",
    ):  # fmt: skip
        await expect(row).to_contain_text(text)
    await expect(row.locator(".hold")).to_have_attribute("data-step", "30")
    lost = row.locator("[data-name=Lost]")
    await expect(lost).to_have_class(re.compile(r"\bbad\b"))
    told = await lost.get_attribute("title") or ""
    assert told.startswith("2 earlier stretches") and told.count("500 ms") == 5
    row = page.locator(".streams tbody tr", has_text="bot.example")
    for text in ("The conference", "speaks", "420 ms", "2 underruns", "640 / 980 ms", "barge-in 210 ms"):
        await expect(row).to_contain_text(text)


async def test_what_changes_is_seen(forked: Forked, page: Page) -> None:
    forked.add("s1", forked.ada, state="dialling", attempts=2, seconds=3)
    await enter(page, forked.bridge.base, "Weekly call")
    row = page.locator(".streams tbody tr")
    await expect(row).to_contain_text("Dialling")
    await expect(row).to_contain_text("attempt 2")
    for share, step in ((0.0, "0"), (0.294, "0"), (0.3, "30"), (0.6, "60"), (0.95, "90")):
        forked.change("s1", state="connected", waiting_share=share, waiting_ms=round(40_000 * share))
        await expect(row).to_contain_text(f"{round(100 * share)} %")
        await expect(row.locator(".hold")).to_have_attribute("data-step", step)
    forked.change("s1", state="interrupted")
    await expect(row).to_contain_text("Interrupted")
    ada = page.locator(".participants tr", has_text="Ada")
    await expect(ada.locator(".forks")).to_have_text("1 stream")
    forked.change("s1", state="ended", end="Connection error: connection lost")
    await expect(row).to_contain_text("Connection error: connection lost")
    await expect(row.get_by_role("button", name="End the stream")).to_have_count(0)
    await expect(ada.locator(".forks")).to_be_hidden()
    forked.bridge.streams.shown.clear()
    await expect(page.get_by_text("No call is streamed")).to_be_visible()


async def test_a_roster_has_its_parts_folded_under_it(forked: Forked, page: Page) -> None:
    forked.add_roster()
    forked.add("s1", forked.ada, host="other.example")
    await enter(page, forked.bridge.base, "Weekly call")
    roster = page.locator(".streams tbody tr", has_text="Each participant")
    await expect(roster).to_contain_text("1 of 2 up")
    parts = page.locator(".streams tbody tr.part")
    await expect(parts).to_have_count(2)
    await expect(parts.first).to_be_hidden()
    fold = roster.get_by_role("button", name="2 sockets")
    await fold.click()
    await expect(fold).to_have_attribute("aria-expanded", "true")
    await expect(parts.nth(1)).to_contain_text("+45 31 12")
    await expect(parts.nth(1)).to_contain_text("Interrupted")
    forked.change("r", lost=4)
    await expect(roster.locator("[data-name=Lost]")).to_contain_text("4")
    await expect(parts.first).to_be_visible()
    await fold.click()
    await expect(parts.first).to_be_hidden()
    for name, number in (("Ada", "2 streams"), ("+45 31 12", "1 stream")):
        badge = page.locator(".participants tr", has_text=name).locator(".forks")
        await expect(badge).to_have_text(number)


async def test_a_stream_is_ended_when_one_is_sure(forked: Forked, page: Page) -> None:
    forked.add("s1", forked.ada)
    forked.add_roster()
    await enter(page, forked.bridge.base, "Weekly call")
    button = page.get_by_role("button", name="End the stream of Ada to captions.example.com").first
    await button.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Ada → captions.example.com")
    await dialog.get_by_role("button", name="Cancel").click()
    assert forked.bridge.streams.ended == []
    await button.click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(page.locator(".streams tbody tr:not(.part)")).to_have_count(1)
    assert forked.bridge.streams.ended == ["s1"]
    await page.get_by_role("button", name="2 sockets").click()
    await page.locator(".streams tr.part").nth(1).get_by_role("button", name="End the stream").click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="End the stream of Each participant").click()
    await expect(dialog).to_contain_text("All its sockets are closed")
    await dialog.get_by_role("button", name="End it").click()
    await expect(page.get_by_text("No call is streamed")).to_be_visible()
    assert forked.bridge.streams.ended == ["s1", "b", "r"]


async def test_one_that_could_not_be_ended_stays_and_says_so(forked: Forked, page: Page) -> None:
    forked.add("s1", forked.ada)
    await enter(page, forked.bridge.base, "Weekly call")
    forked.bridge.streams.applications[forked.conference.id] = "somebody else's"
    await page.get_by_role("button", name="End the stream of Ada").click()
    await page.get_by_role("dialog").get_by_role("button", name="End it").click()
    await expect(page.get_by_text("That did not work: stream not found")).to_be_visible()
    await expect(page.locator(".streams tbody tr")).to_have_count(1)


async def test_more_streams_than_are_shown_are_counted(forked: Forked, page: Page) -> None:
    forked.add("s1", forked.ada)
    forked.bridge.streams.left_out = 1_204
    await enter(page, forked.bridge.base, "Weekly call")
    await expect(page.get_by_text("There are 1,204 more streams")).to_be_visible()


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 320, "height": 568}, {"width": 1000, "height": 800}, DESKTOP]
)
async def test_hostile_hosts_and_names_are_text_and_nothing_is_cut_off(
    forked: Forked, browser: Browser, size: ViewportSize
) -> None:
    for number, name in enumerate(HOSTILE_NAMES):
        forked.add(f"n{number}", forked.ada, name=name, host=f"h{number}.example")
        forked.add(f"h{number}", None, host=name, play=playing(queued_ms=123_456, underruns=98_765))
        forked.add(f"e{number}", forked.phone, state="ended", end=name, captured=9_999_999_999)
    watched = await open_page(browser, forked.bridge.base, size=size)
    page = watched.page
    await enter(page, forked.bridge.base, "Weekly call")
    rows = page.locator(".streams tbody tr")
    await expect(rows).to_have_count(3 * len(HOSTILE_NAMES))
    assert set(HOSTILE_NAMES) <= set(await page.locator(".streams .said").all_text_contents())
    assert set(HOSTILE_NAMES) <= set(await page.locator(".streams .about").all_text_contents())
    assert await overflow(page) <= 0
    cut = "[...document.querySelectorAll('.panel')].map((panel) => panel.scrollWidth - panel.clientWidth)"
    assert max(await page.evaluate(cut)) <= 0
    await page.get_by_role("button", name="End the stream").nth(1).click()
    await expect(page.get_by_role("dialog")).to_contain_text(HOSTILE_NAMES[0])
    assert await overflow(page) <= 0
    assert await page.locator("#main img, #main script, dialog img, dialog script").count() == 0
    watched.assert_clean()
    await page.context.close()
