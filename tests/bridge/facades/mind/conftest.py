from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.mind import Mind
from tests.kit.mind import mind as running_mind


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    async with running_mind() as running:
        yield running
