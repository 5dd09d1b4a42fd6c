"""What was recorded of which conference, in a SQL database."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bridge.records import KeptRecording
from bridge.store.tables import recordings


class SqlRecordings:
    """Every call is one transaction, and returns when it is committed; SQLAlchemyError when it is not."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load_recordings(self) -> list[KeptRecording]:
        """All of them, the oldest first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(recordings).order_by(recordings.c.created_at))
            return [KeptRecording(**row._mapping) for row in rows]

    async def keep_recording(self, recording: KeptRecording) -> None:
        """A new one, or new values of one."""
        changing = {
            "stretches": recording.stretches,
            "wanted": recording.wanted,
            "wishes": dict(recording.wishes),
            "expired_at": recording.expired_at,
        }
        async with self._engine.begin() as connection:
            known = await connection.execute(
                update(recordings).where(recordings.c.id == recording.id).values(**changing)
            )
            if not known.rowcount:
                await connection.execute(
                    insert(recordings).values(
                        id=recording.id,
                        conference_id=recording.conference_id,
                        application_id=recording.application_id,
                        created_at=recording.created_at,
                        **changing,
                    )
                )

    async def forget_recording(self, recording_id: str) -> None:
        """Nothing is left of it."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(recordings).where(recordings.c.id == recording_id))
