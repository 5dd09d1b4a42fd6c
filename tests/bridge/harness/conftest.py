"""Reports in Chromium: one for all tests of a module, and a desk for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.kit.report_desk import Desk


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    from tests.bridge.web.browser import chromium

    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def desk(browser: Browser, tmp_path: Path) -> AsyncIterator[Desk]:
    from tests.kit.report_desk import Desk

    desk = Desk(browser, tmp_path)
    yield desk
    await desk.close()
