"""For all tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """What is there before the first test stays, as it does in the server.

    Looking through it for garbage takes a tenth of a second each time: too long for tests that are a phone.
    """
    gc.collect()
    gc.freeze()
