"""For all tests."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CALM = (
    "bridge/facades", "bridge/outputs", "bridge/runtime", "bridge/test_", "bridge/web", "kit",
    "e2e/test_egress", "e2e/test_hostile", "e2e/test_live", "e2e/test_outputs", "e2e/test_recording",
    "e2e/test_wild",
)  # fmt: skip
"""Where tests with real sockets and processes do not ask how late anything is."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """What is calm may run beside others."""
    where = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
    if where.startswith(CALM):
        item.add_marker(pytest.mark.calm)


def pytest_collection_finish() -> None:
    """What is there before the first test stays, as it does in the server.

    Looking through it for garbage takes a tenth of a second each time: too long for tests that are a phone.
    """
    gc.collect()
    gc.freeze()
