"""Child processes see the test tools as the tests do; a storage for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.object_storage import ObjectStorage, object_storage

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def test_tools_for_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture(scope="module")
def there() -> Iterator[ObjectStorage]:
    """Begun once for all tests of a module."""
    with object_storage() as running:
        yield running
