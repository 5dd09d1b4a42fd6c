"""One server for all tests of a module, and a quick end for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.kit.object_storage import ObjectStorage, object_storage
from tests.kit.running_bridge import RunningBridge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    """The server as users start it. Whatever a test did to it, it has to end without a traceback."""
    folder = tmp_path_factory.mktemp("bridge")
    async with RunningBridge(folder, {"MEDIABRIDGE_DRAIN_SECONDS": "0"}) as running:
        yield running
    assert "Traceback" not in running.log
    assert running.process is not None and running.process.returncode == 0


@pytest.fixture
def there() -> Iterator[ObjectStorage]:
    """A storage of the test's own."""
    with object_storage() as running:
        yield running
