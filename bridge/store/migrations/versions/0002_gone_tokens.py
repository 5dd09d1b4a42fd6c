"""Tokens of those who were removed, so that their clients are told so after a restart too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "gone_tokens",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("gone_tokens")
