"""Where conferences are streamed to, in a SQL database."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bridge.records import KeptStreaming
from bridge.store.tables import streamings


class SqlStreamings:
    """Every call is one transaction, and returns when it is committed; SQLAlchemyError when it is not."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load_streamings(self) -> list[KeptStreaming]:
        """All of them, the oldest first."""
        wanted = select(
            streamings.c.id, streamings.c.conference_id, streamings.c.url, streamings.c.settings
        ).order_by(streamings.c.place)
        async with self._engine.connect() as connection:
            return [KeptStreaming(**row._mapping) for row in await connection.execute(wanted)]

    async def add_streaming(self, streaming: KeptStreaming) -> None:
        """A new one."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(streamings).values(
                    id=streaming.id,
                    conference_id=streaming.conference_id,
                    place=time.time(),
                    url=streaming.url,
                    settings=dict(streaming.settings),
                )
            )

    async def remove_streamings(self, streaming_ids: Iterable[str]) -> None:
        """All of them, or none."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(streamings).where(streamings.c.id.in_(list(streaming_ids))))
