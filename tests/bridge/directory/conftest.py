from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.directory_house import DirectoryHouse, directory_house


@pytest.fixture
async def house() -> AsyncIterator[DirectoryHouse]:
    """Its store is in memory."""
    async with directory_house() as house:
        yield house


@pytest.fixture
async def stored_house(tmp_path: Path) -> AsyncIterator[DirectoryHouse]:
    """Its store is in a database."""
    async with directory_house(tmp_path) as house:
        yield house
