"""The database: what is kept of conferences, participants and messages. Knows no API and no media."""

from bridge.store.sql_store import SqlStore

__all__ = ["SqlStore"]
