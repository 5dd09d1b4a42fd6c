from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from bridge.errors import ConfigError
from bridge.store import SqlStore
from bridge.store.engine import open_engine
from bridge.store.migrate import newest
from bridge.store.tables import metadata

pytestmark = pytest.mark.unit


async def test_the_migrations_lead_to_the_tables_that_are_used(store: SqlStore) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with store._engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_second_start_changes_nothing(address: str, store: SqlStore) -> None:
    await store.close()
    again = await SqlStore.open(address)
    async with again._engine.connect() as connection:
        version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).all()
    await again.close()
    assert version == [(newest(),)]


async def test_servers_may_start_at_once_on_postgresql(postgresql_address: str) -> None:
    stores = await asyncio.gather(*(SqlStore.open(postgresql_address) for _ in range(3)))
    for store in stores:
        await store.ping()
        await store.close()


async def test_a_newer_database_is_refused(address: str, store: SqlStore) -> None:
    await set_version(store, "9999")
    await store.close()
    with pytest.raises(ConfigError, match="newer version"):
        await SqlStore.open(address)
    engine = await open_engine(address)
    await set_version(SqlStore(engine), newest())
    await engine.dispose()


async def set_version(store: SqlStore, version: str) -> None:
    async with store._engine.begin() as connection:
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
