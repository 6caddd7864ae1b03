"""What the older dialects need: unique room names, senders without an account, conversations with the echo."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ANONYMOUS_ID = 2**31 - 2
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add columns, tables, and the account that clients without an account use."""
    op.add_column("rooms", sa.Column("unique_name", sa.Text))
    op.create_index("uq_rooms_unique_name", "rooms", ["unique_name"], unique=True)
    op.add_column("messages", sa.Column("author", sa.Text))
    op.create_table(
        "echoes",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
    )
    op.create_index("ix_echoes_account_id", "echoes", ["account_id"])
    op.create_table(
        "echo_lines",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("echo_id", Id, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_echo_lines_echo_id", "echo_lines", ["echo_id"])
    _anonymous()


def _anonymous() -> None:
    """Create the account. Somebody may have registered its handle before it was reserved: they keep it.

    No account can register the handle that the built-in account has then. Its id is what the server uses.
    """
    text, number = sa.Text, sa.BigInteger
    words = [sa.column(name, text) for name in ("username", "handle", "name", "password_hash")]
    people = sa.table("accounts", *words, sa.column("id", number), sa.column("created_at", number))
    handles = sa.table("accounts", sa.column("handle", text))
    query = sa.select(sa.func.count()).select_from(handles).where(handles.c.handle == "anonymous")
    handle = "anonymous (built in)" if op.get_bind().scalar(query) else "anonymous"
    who = {"id": ANONYMOUS_ID, "username": "anonymous", "handle": handle, "name": "anonymous"}
    op.bulk_insert(people, [{**who, "password_hash": "", "created_at": time.time_ns() // 1000}])
    logs = sa.table("logs", *(sa.column(name, number) for name in ("id", "last_seq", "message_count")))
    op.bulk_insert(logs, [{"id": -ANONYMOUS_ID, "last_seq": 0, "message_count": 0}])
