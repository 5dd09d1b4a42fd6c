"""A staged bridge for each test, and a page on it; one Chromium for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.bridge.web.browser import chromium, open_page
from tests.bridge.web.invited import Invited, invite
from tests.bridge.web.staged_bridge import StagedBridge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def bridge() -> AsyncIterator[StagedBridge]:
    async with StagedBridge() as bridge:
        yield bridge


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, bridge: StagedBridge) -> AsyncIterator[Page]:
    """Empty at first; whatever the test does with it, nothing may have gone wrong on it."""
    watched = await open_page(browser, bridge.base)
    yield watched.page
    watched.assert_clean()
    await watched.page.context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def invited(bridge: StagedBridge) -> Invited:
    """Somebody who is invited to a conference on it."""
    return await invite(bridge)
