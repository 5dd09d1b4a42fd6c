from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.kit.fork_house import ForkHouse
from tests.kit.plivo_house import PlivoHouse


@pytest_asyncio.fixture
async def house() -> AsyncIterator[PlivoHouse]:
    opened = await PlivoHouse().open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def forks() -> AsyncIterator[ForkHouse]:
    """The stream API's house."""
    opened = await ForkHouse().open()
    yield opened
    await opened.close()
