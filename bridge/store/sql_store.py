"""Conferences, participants and messages in a SQL database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Executable, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bridge.errors import ConfigError
from bridge.people import Conference, Layout, Message, Participant, Role
from bridge.records import GONE_TOKENS_KEPT, Kept
from bridge.store.engine import open_engine
from bridge.store.migrate import migrate
from bridge.store.recordings import SqlRecordings
from bridge.store.streamings import SqlStreamings
from bridge.store.tables import conferences, gone_tokens, messages, participants, recordings

log = logging.getLogger(__name__)


class SqlStore:
    """Every call is one transaction, and returns when it is committed; SQLAlchemyError when it is not."""

    def __init__(self, engine: AsyncEngine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now
        self.recordings = SqlRecordings(engine)
        self.streamings = SqlStreamings(engine)
        self.writes = 0
        self.write_errors = 0

    @classmethod
    async def open(cls, url: str) -> SqlStore:
        """The database at `url`, its tables brought up to date. Raises ConfigError, MissingLibrary."""
        engine = await open_engine(url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except (SQLAlchemyError, OSError) as wrong:
            await engine.dispose()
            cause = wrong.orig if isinstance(wrong, DBAPIError) else wrong
            raise ConfigError(
                f"cannot use the database {engine.url.render_as_string(hide_password=True)}: {cause}"
            ) from None
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    async def close(self) -> None:
        """Nothing can be kept afterwards."""
        await self._engine.dispose()

    async def ping(self) -> None:
        """Raises SQLAlchemyError or OSError when the database is out of reach."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def load(self) -> Kept:
        """Everything, participants in the order in which they were added."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(conferences).order_by(conferences.c.created_at))
            found = [Conference(**{**row._mapping, "layout": Layout(row.layout)}) for row in rows]
            owners = {conference.id: conference.application_id for conference in found}
            rows = await connection.execute(select(participants).order_by(participants.c.place))
            people = tuple((_participant(row, owners[row.conference_id]), row.token_hash) for row in rows)
            counts = await connection.execute(
                select(messages.c.conference_id, func.count()).group_by(messages.c.conference_id)
            )
            gone = await connection.scalars(select(gone_tokens.c.token_hash).order_by(gone_tokens.c.place))
            written = {conference_id: count for conference_id, count in counts}
            return Kept(tuple(found), people, written, tuple(gone))

    async def add_conference(self, conference: Conference) -> None:
        """A new one."""
        await self._write(
            insert(conferences).values(
                id=conference.id,
                application_id=conference.application_id,
                created_at=conference.created_at,
                ends_at=conference.ends_at,
                **_conference_fields(conference),
            )
        )

    async def change_conference(self, conference: Conference) -> None:
        """Its name and layout."""
        await self._write(
            update(conferences)
            .where(conferences.c.id == conference.id)
            .values(**_conference_fields(conference))
        )

    async def remove_conference(self, conference_id: str, expired_at: float | None = None) -> None:
        """With everybody in it and all that was written; their tokens are remembered as gone."""
        ending: list[Executable] = []
        if expired_at is not None:
            its_own = recordings.c.conference_id == conference_id
            ending = [update(recordings).where(its_own).values(expired_at=expired_at)]
        await self._write(
            *ending,
            _remember_tokens(participants.c.conference_id == conference_id),
            delete(conferences).where(conferences.c.id == conference_id),
            _FORGET_OLDEST,
        )

    async def add_participant(self, participant: Participant, token_hash: str) -> None:
        """A new one; whether they are online is not kept."""
        await self._write(
            insert(participants).values(
                id=participant.id,
                conference_id=participant.conference_id,
                place=self._now(),
                transient=participant.transient,
                token_hash=token_hash,
                **_participant_fields(participant),
            )
        )

    async def change_participant(self, participant: Participant) -> None:
        """All that can change."""
        await self._write(
            update(participants)
            .where(participants.c.id == participant.id)
            .values(**_participant_fields(participant))
        )

    async def remove_participants(self, participant_ids: Iterable[str]) -> None:
        """All of them, or none; their tokens are remembered as gone."""
        ids = list(participant_ids)
        statements: list[Executable] = []
        for at in range(0, len(ids), 500):  # databases bound the number of parameters of a statement
            named = participants.c.id.in_(ids[at : at + 500])
            statements += (_remember_tokens(named), delete(participants).where(named))
        if statements:
            await self._write(*statements, _FORGET_OLDEST)

    async def add_message(self, message: Message) -> None:
        """A new one."""
        await self._write(
            insert(messages).values(
                id=message.id,
                conference_id=message.conference_id,
                sent_by=message.sent_by,
                sent_to=message.sent_to,
                sent_at=message.sent_at,
                text=message.text,
            )
        )

    async def _write(self, *statements: Executable) -> None:
        began = monotonic()
        try:
            async with self._engine.begin() as connection:
                for statement in statements:
                    await connection.execute(statement)
        except BaseException:
            self.write_errors += 1
            raise
        self.writes += 1
        log.debug("- kept in %.1f ms", 1000 * (monotonic() - began))


_FORGET_OLDEST = delete(gone_tokens).where(
    gone_tokens.c.place <= select(func.max(gone_tokens.c.place)).scalar_subquery() - GONE_TOKENS_KEPT
)


def _remember_tokens(of_whom: ColumnElement[bool]) -> Executable:
    """Before these participants are deleted. Nobody was ever given a transient one's token."""
    hashes = select(participants.c.token_hash).where(of_whom, ~participants.c.transient)
    return insert(gone_tokens).from_select(["token_hash"], hashes.order_by(participants.c.place))


def _conference_fields(conference: Conference) -> dict[str, Any]:
    return {"name": conference.name, "layout": conference.layout.value}


def _participant_fields(participant: Participant) -> dict[str, Any]:
    return {
        "name": participant.name,
        "priority": participant.priority,
        "role": participant.role.value,
        "layout": participant.layout.value,
        "language": participant.language,
        "muted": participant.muted,
        "hears": dict(participant.hears),
    }


def _participant(row: Any, application_id: str) -> Participant:
    return Participant(
        id=row.id,
        conference_id=row.conference_id,
        application_id=application_id,
        name=row.name,
        priority=row.priority,
        role=Role(row.role),
        layout=Layout(row.layout),
        language=row.language,
        transient=row.transient,
        muted=row.muted,
        hears=row.hears,
    )
