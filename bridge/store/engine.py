"""How to reach a database: SQLite in a file, or PostgreSQL by its address."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bridge.errors import ConfigError, MissingLibrary

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 8.0
"""Below the 10 s after which clients give a request up."""
POSTGRESQL_CONNECTIONS = 5


async def open_engine(url: str) -> AsyncEngine:
    """An engine for `url`: `sqlite:///FILE` or `postgresql://…`, with or without the driver's name.

    Raises ConfigError, and MissingLibrary without the driver; neither shows the password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("database_url is not an address such as postgresql://user@host/name") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return await _sqlite(parsed)
    if kind in ("postgresql", "postgres"):
        return _postgresql(parsed)
    raise ConfigError(f"database_url: {kind} is not supported, only sqlite and postgresql are")


async def _sqlite(url: URL) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise ConfigError("database_url: SQLite needs a file, so that the state outlives the server")
    lock = await asyncio.to_thread(_take, Path(url.database))
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        hide_parameters=True,
        # One writer at a time is all that SQLite knows; waiting for the connection is fair, its lock is not.
        pool_size=1,
        max_overflow=0,
        pool_timeout=STATEMENT_TIMEOUT_S,
        connect_args={"timeout": STATEMENT_TIMEOUT_S},
    )
    event.listen(engine.sync_engine, "engine_disposed", lambda disposed: lock.close())
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _take(file: Path) -> BinaryIO:
    """The file, made if need be, for this server alone; gives what holds the lock.

    Names and messages are nobody else's business, and two servers on one file would each know half of the
    people. The lock ends with the process, however it ends.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        lock = open(os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT, 0o600), "rb")
    except OSError as wrong:
        raise ConfigError(f"cannot keep the state in {file}: {wrong.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ConfigError(f"another server keeps its state in {file}: it must end first") from None
    return lock


def _prepare_sqlite(connection: Any, record: object) -> None:
    # The driver's own idea of when a transaction begins leaves schema changes outside of it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A token that was given out must be known after a power failure too.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            hide_parameters=True,  # errors end up in logs; names and messages must not
            pool_size=POSTGRESQL_CONNECTIONS,
            max_overflow=0,
            pool_timeout=STATEMENT_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": STATEMENT_TIMEOUT_S},
        )
    except ModuleNotFoundError:
        raise MissingLibrary(
            "PostgreSQL needs the asyncpg package: pip install 'mediabridge[postgresql]'"
        ) from None
