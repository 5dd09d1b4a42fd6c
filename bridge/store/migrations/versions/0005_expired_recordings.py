"""Recordings: when their conference came to the end of its time, after which they may stay a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("recordings", sa.Column("expired_at", sa.Double, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("recordings", "expired_at")
