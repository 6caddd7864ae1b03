"""Reactions to messages, how many there are of each emoji, and pinned messages."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "reactions",
        sa.Column("message_id", Id, primary_key=True, autoincrement=False),
        sa.Column("emoji", sa.Text, primary_key=True, autoincrement=False),
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tallies",
        sa.Column("message_id", Id, primary_key=True, autoincrement=False),
        sa.Column("emoji", sa.Text, primary_key=True, autoincrement=False),
        sa.Column("people", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pins",
        sa.Column("room_id", Id, primary_key=True, autoincrement=False),
        sa.Column("message_id", Id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("pinned_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
