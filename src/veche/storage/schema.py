"""The tables, for every database alike. Times are microseconds since 1970 in UTC.

`logs` holds the end of every log, a small row of its own because each send rewrites it; `messages` and `events`
together hold the entries: each seq of a log stands in exactly one of them.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's row id is spelled INTEGER

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("handle", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", Text, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("origin", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("creator_id", Id, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("direct_key", String(64), unique=True),
    Column("unique_name", Text),
    Index("uq_rooms_unique_name", "unique_name", unique=True),
)

logs = Table(
    "logs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("last_message_id", BigInteger),
)

members = Table(
    "members",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, primary_key=True, autoincrement=False, index=True),
    Column("role", String(16), nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("read_seq", BigInteger, nullable=False),
    Column("read_count", BigInteger, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("room_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sender_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("client_message_id", Text),
    Column("origin", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("reader_id", Id),  # who read it first
    Column("author", Text),  # who somebody without an account says to be
    UniqueConstraint("room_id", "seq"),
    Index("uq_messages_sender_id_client_message_id", "sender_id", "client_message_id", unique=True),
)

events = Table(
    "events",
    metadata,
    Column("log_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("account_id", Id),  # whom it is about; the person is resolved when read
    Column("room_id", Id),
    Column("data", Text, nullable=False),  # the rest, as JSON
    sqlite_with_rowid=False,
)

echoes = Table(
    "echoes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False, index=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
)

echo_lines = Table(
    "echo_lines",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("echo_id", Id, nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
