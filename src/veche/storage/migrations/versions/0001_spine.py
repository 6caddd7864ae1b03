"""The first tables: accounts, sessions, rooms, members, and the logs with their messages and events."""

import secrets
import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LOBBY_ID = SYSTEM_ID = 2**31 - 1
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables, the system account, the lobby, and the epoch."""
    op.create_table(
        "meta", sa.Column("key", sa.String(64), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    _people()
    _rooms()
    _logs()
    _built_in()


def _people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("handle", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_key", sa.Text),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("handle", name="uq_accounts_handle"),
        sa.UniqueConstraint("email_key", name="uq_accounts_email_key"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", Id, sa.ForeignKey("accounts.id", name="fk_sessions_account_id"), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])


def _rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("creator_id", Id, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("direct_key", sa.String(64)),
        sa.UniqueConstraint("direct_key", name="uq_rooms_direct_key"),
    )
    op.create_index("ix_rooms_kind", "rooms", ["kind"])
    op.create_table(
        "members",
        sa.Column("room_id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("joined_at", sa.BigInteger, nullable=False),
        sa.Column("read_seq", sa.BigInteger, nullable=False),
        sa.Column("read_count", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_members_account_id", "members", ["account_id"])


def _logs() -> None:
    op.create_table(
        "logs",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("message_count", sa.BigInteger, nullable=False),
        sa.Column("last_message_id", sa.BigInteger),
    )
    op.create_table(
        "messages",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("room_id", Id, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("sender_id", Id, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("client_message_id", sa.Text),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("reader_id", Id),
        sa.UniqueConstraint("room_id", "seq", name="uq_messages_room_id_seq"),
    )
    op.create_index(
        "uq_messages_sender_id_client_message_id", "messages", ["sender_id", "client_message_id"], unique=True
    )
    op.create_table(
        "events",
        sa.Column("log_id", Id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("account_id", Id),
        sa.Column("room_id", Id),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _built_in() -> None:
    now = time.time_ns() // 1000
    text, number = sa.Text, sa.BigInteger
    meta = sa.table("meta", sa.column("key", text), sa.column("value", text))
    op.bulk_insert(meta, [{"key": "epoch", "value": secrets.token_hex(8)}])
    people = sa.table(
        "accounts",
        *(sa.column(name, text) for name in ("username", "handle", "name", "password_hash")),
        sa.column("id", number),
        sa.column("created_at", number),
    )
    op.bulk_insert(
        people,
        [
            {
                "id": SYSTEM_ID,
                "username": "system",
                "handle": "system",
                "name": "system",
                "password_hash": "",
                "created_at": now,
            }
        ],
    )
    rooms = sa.table(
        "rooms",
        sa.column("id", number),
        sa.column("kind", text),
        sa.column("name", text),
        sa.column("creator_id", number),
        sa.column("created_at", number),
    )
    op.bulk_insert(
        rooms, [{"id": LOBBY_ID, "kind": "lobby", "name": "Lobby", "creator_id": SYSTEM_ID, "created_at": now}]
    )
    logs = sa.table("logs", sa.column("id", number), sa.column("last_seq", number), sa.column("message_count", number))
    op.bulk_insert(
        logs,
        [{"id": LOBBY_ID, "last_seq": 0, "message_count": 0}, {"id": -SYSTEM_ID, "last_seq": 0, "message_count": 0}],
    )
