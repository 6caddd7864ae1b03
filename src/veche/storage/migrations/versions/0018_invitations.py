"""Invitations into rooms, and links by which people join them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "invitations",
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("room_id", Id, primary_key=True, autoincrement=False, index=True),
        sa.Column("by_id", Id, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "links",
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("room_id", Id, nullable=False, index=True),
        sa.Column("by_id", Id, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("uses_left", sa.BigInteger),
    )
