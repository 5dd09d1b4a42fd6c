"""For all tests."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TIMED = (
    "bridge/harness/test_bot_test", "bridge/harness/test_capacity_run", "bridge/harness/test_measured_call",
    "bridge/harness/test_plivo_caller", "bridge/legs/test_webrtc", "e2e/test_captions", "e2e/test_chromium",
    "e2e/test_lossy", "e2e/test_operation", "e2e/test_phone", "e2e/test_pipecat", "e2e/test_sdk",
    "e2e/test_stream", "e2e/test_vendor",
)  # fmt: skip
"""Where tests ask how late something is, to a few ticks."""


LONG = ("e2e/", "bridge/harness/", "bridge/outputs/test_an_hour", "bridge/outputs/test_hour")
"""Files that take long are begun with, so that no worker has one left when the other is done."""


def pytest_configure() -> None:
    """Tests interrupt what they start; a shell that begins us in the background makes us deaf to that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _where(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which files are handed out."""
    items.sort(key=lambda item: not _where(item).startswith(LONG))


def pytest_itemcollected(item: pytest.Item) -> None:
    """What asks how late something is has a core of its own."""
    if _where(item).startswith(TIMED) and item.get_closest_marker("e2e") is not None:
        item.add_marker(pytest.mark.timed)


def pytest_collection_finish() -> None:
    """What is there before the first test stays, as it does in the server.

    Looking through it for garbage takes a tenth of a second each time: too long for tests that are a phone.
    """
    gc.collect()
    gc.freeze()
