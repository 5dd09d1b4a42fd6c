"""Streamings: where conferences are published to, so that it goes on after a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "streamings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "conference_id",
            sa.String(36),
            sa.ForeignKey("conferences.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("place", sa.Double, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_index("streamings_by_conference", "streamings", ["conference_id"])


def downgrade() -> None:
    op.drop_table("streamings")
