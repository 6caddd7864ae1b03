"""Messages that are edited or deleted, threads, and the client ids of all commands."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables, and the columns of messages."""
    op.add_column("messages", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("edited_at", sa.BigInteger))
    op.add_column("messages", sa.Column("deleted_by", Id))
    for name in ("reply_to_id", "thread_id"):
        op.add_column("messages", sa.Column(name, Id))
    for name in ("reply_to_seq", "thread_seq", "last_reply_seq"):
        op.add_column("messages", sa.Column(name, sa.BigInteger))
    op.add_column("messages", sa.Column("replies", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("mentions", sa.Text))
    _create_thread_tables()
    op.create_table(
        "revisions",
        sa.Column("message_id", Id, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "deletions",
        sa.Column("room_id", Id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "client_ids",
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("client_id", sa.Text, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_thread_tables() -> None:
    op.create_table(
        "mentions",
        sa.Column("room_id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "followers",
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("thread_id", Id, primary_key=True, autoincrement=False),
        sa.Column("room_id", Id, nullable=False),
        sa.Column("follows", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "thread_messages",
        sa.Column("thread_id", Id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message_id", Id, nullable=False),
        sqlite_with_rowid=False,
    )
