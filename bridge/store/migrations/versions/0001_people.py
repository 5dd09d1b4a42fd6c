"""Conferences, participants, messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "conferences",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("layout", sa.String(32), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
    )
    op.create_table(
        "participants",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "conference_id",
            sa.String(36),
            sa.ForeignKey("conferences.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("place", sa.Double, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("priority", sa.Double, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("layout", sa.String(32), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("transient", sa.Boolean, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("hears", sa.JSON, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    )
    op.create_index("participants_by_conference", "participants", ["conference_id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "conference_id",
            sa.String(36),
            sa.ForeignKey("conferences.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("sent_by", sa.String(36), nullable=False),
        sa.Column("sent_to", sa.String(36), nullable=False),
        sa.Column("sent_at", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("messages_by_conference", "messages", ["conference_id"])


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("participants")
    op.drop_table("conferences")
