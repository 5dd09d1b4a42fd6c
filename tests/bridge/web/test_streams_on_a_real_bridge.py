"""The operator's page against the server as users start it, while a call is streamed to services."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.bridge.web.browser import open_page
from tests.bridge.web.operator_desk import enter
from tests.kit.ears import phone, until
from tests.kit.forking import ANNA, all_online, forking_bridge
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import RunningBridge
from tests.kit.stream_service import StreamService

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def real(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with forking_bridge(tmp_path) as bridge:
        yield bridge


async def delivered(row: Locator) -> int:
    return int(re.sub(r"\D", "", (await row.locator("[data-name=Delivered]").inner_text()).splitlines()[-2]))


async def test_streams_are_seen_to_be_delivered_and_end_by_the_button(
    real: RunningBridge, browser: Browser
) -> None:
    conference = await real.open_conference("Forked")
    invited = await real.invite(conference, "Anna")
    account = PlivoAccount(real)
    async with StreamService() as service, phone(invited.stream_url, ANNA):
        await until(lambda: all_online(real, conference, 1))
        secret = f"{service.url}/mood?secret=s3cr3t"
        fork = await account.start(invited.id, secret, content_type="audio/x-l16;rate=16000")
        bot = await account.start(conference, f"{service.url}/bot", bidirectional=True, name="Bot")
        await account.start(conference, f"{service.url}/each", audio_track="participants", name="Captions")
        watched = await open_page(browser, real.base)
        page = watched.page
        await enter(page, real.base, "Forked", application=real.application, token=real.token)
        host = f"127.0.0.1:{service.port}"
        rows = page.locator(".streams tbody tr:not(.part)")
        await expect(rows).to_have_count(3)
        mood = rows.filter(has=page.locator(".name", has_text="Anna"))
        for text in ("Anna", host, "inbound · L16 16 kHz", "Connected"):
            await expect(mood).to_contain_text(text)
        assert "s3cr3t" not in await page.content()
        before = await delivered(mood)
        await page.wait_for_timeout(2_000)
        assert 50 <= await delivered(mood) - before < 200, "50 frames a second, confirmed once a second"
        await expect(mood.locator("[data-name=Lost]")).to_contain_text("0")
        await expect(rows.filter(has_text="The conference")).to_contain_text("L16 8 kHz · speaks")
        each = rows.filter(has_text="Each participant")
        await expect(each).to_contain_text("1 of 1 up")
        anna = page.locator(".participants tr", has_text="Anna")
        await expect(anna.locator(".forks")).to_have_text("2 streams")

        await mood.get_by_role("button", name="End the stream of Anna").click()
        await page.get_by_role("dialog").get_by_role("button", name="End it").click()
        await expect(mood).to_contain_text("Ended")
        await expect(mood).to_contain_text("API request")
        await expect(anna.locator(".forks")).to_have_text("1 stream")
        ended = await account.look(invited.id, fork)
        assert (ended["end_reason"], ended["captured"]) == ("API request", ended["delivered"] + ended["lost"])

        await page.get_by_role("button", name="End the stream of The conference").click()
        await page.get_by_role("dialog").get_by_role("button", name="End it").click()
        await expect(page.locator(".participants tr", has_text="Bot")).to_have_count(0)
        assert (await account.look(conference, bot))["end_reason"] == "API request"
        watched.assert_clean()
        await page.context.close()
