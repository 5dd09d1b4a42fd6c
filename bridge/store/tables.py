"""The tables as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

conferences = Table(
    "conferences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("application_id", String(36), nullable=False),
    Column("name", Text, nullable=False),
    Column("layout", String(32), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
)

participants = Table(
    "participants",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("conference_id", ForeignKey("conferences.id", ondelete="CASCADE"), nullable=False),
    Column("place", Double, nullable=False),
    Column("name", Text, nullable=False),
    Column("priority", Double, nullable=False),
    Column("role", String(16), nullable=False),
    Column("layout", String(32), nullable=False),
    Column("language", String(8), nullable=False),
    Column("transient", Boolean, nullable=False),
    Column("muted", Boolean, nullable=False),
    Column("hears", JSON, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Index("participants_by_conference", "conference_id"),
)
"""`place` orders them by invitation (Unix seconds)."""

messages = Table(
    "messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("conference_id", ForeignKey("conferences.id", ondelete="CASCADE"), nullable=False),
    Column("sent_by", String(36), nullable=False),
    Column("sent_to", String(36), nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("text", Text, nullable=False),
    Index("messages_by_conference", "conference_id"),
)

gone_tokens = Table(
    "gone_tokens",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("token_hash", String(64), nullable=False),
)
"""Tokens of those who were removed; `place` counts up."""

recordings = Table(
    "recordings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("conference_id", String(36), nullable=False, unique=True),
    Column("application_id", String(36), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("stretches", Integer, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("wishes", JSON, nullable=False),
    Column("expired_at", Double, nullable=False, server_default="0"),
)
"""A row outlives its conference for as long as files are left: what has none is nobody's."""

streamings = Table(
    "streamings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("conference_id", ForeignKey("conferences.id", ondelete="CASCADE"), nullable=False),
    Column("place", Double, nullable=False),
    Column("url", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Index("streamings_by_conference", "conference_id"),
)
"""`place` orders them by creation (Unix seconds)."""
