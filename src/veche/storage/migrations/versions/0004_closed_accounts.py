"""Closed accounts, and an index to find sessions that have expired."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table and the index."""
    op.create_table(
        "closed_accounts",
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("closed_at", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Integer, nullable=False),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
