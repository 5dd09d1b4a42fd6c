"""Brings a database to the newest form of the tables; every start does it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from bridge.errors import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
START_LOCK = 0x6D656469_61627267
"""Servers that start at once on one PostgreSQL wait for each other; any number that no one else uses."""


def settings(connection: Connection | None = None) -> Config:
    """Alembic's own, for `env.py`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The newest migration's name."""
    return ScriptDirectory.from_config(settings()).get_current_head() or ""


def migrate(connection: Connection) -> None:
    """Within the caller's transaction: all of it or nothing. Raises ConfigError for a newer database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": START_LOCK})
    try:
        command.upgrade(settings(connection), "head")
    except CommandError as wrong:
        raise ConfigError(f"the database was written by a newer version: {wrong}") from None
