"""A staged bridge for each test; one Chromium for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.bridge.web.browser import chromium
from tests.bridge.web.staged_bridge import StagedBridge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def bridge() -> AsyncIterator[StagedBridge]:
    async with StagedBridge() as bridge:
        yield bridge
