"""Recordings: what there is of which conference, so that none is forgotten over a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("conference_id", sa.String(36), nullable=False, unique=True),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("stretches", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("wishes", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("recordings")
