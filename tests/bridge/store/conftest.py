from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.store import SqlStore
from bridge.store.tables import metadata
from tests.kit import postgresql


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """Of the server that is named, else of one started for these tests."""
    given = os.environ.get(postgresql.ADDRESS_VARIABLE)
    programs = postgresql.programs()
    if given:
        yield given
    elif programs is not None:
        with postgresql.running(programs) as address:
            yield address
    elif os.environ.get("CI") == "true":
        pytest.fail(f"PostgreSQL is missing: install it, or set {postgresql.ADDRESS_VARIABLE}")
    else:
        pytest.skip("no PostgreSQL on this machine")


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database, or of one whose tables are emptied by `store`."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'bridge.sqlite3'}"
    return str(request.getfixturevalue("postgresql_address"))


@pytest.fixture
async def store(address: str) -> AsyncIterator[SqlStore]:
    """Empty."""
    store = await SqlStore.open(address)
    async with store._engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    yield store
    await store.close()
