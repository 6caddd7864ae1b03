"""Takes back what migrations did, so that a test has the database of an older version."""

from .conftest import Town

UNDONE: dict[str, list[str]] = {
    "0020": ["DROP INDEX ix_closed_accounts_gone", "ALTER TABLE closed_accounts DROP COLUMN gone"],
    "0019": ["DROP TABLE person_words"],
    "0018": ["DROP TABLE invitations", "DROP TABLE links"],
    "0017": ["DROP TABLE blocks"],
    "0016": ["DROP TABLE files", "DROP TABLE usages", "ALTER TABLE messages DROP COLUMN files"],
    "0014": [
        *(f"ALTER TABLE rooms DROP COLUMN {name}" for name in ("topic", "archived_at", "slow_seconds")),
        *(f"ALTER TABLE members DROP COLUMN {name}" for name in ("spoke_at", "level")),
        "ALTER TABLE accounts DROP COLUMN hides_reading",
    ],
    "0013": [
        "DROP INDEX ix_sessions_account_id_created_at",
        "ALTER TABLE sessions DROP COLUMN device",
        "CREATE INDEX ix_sessions_account_id ON sessions (account_id)",
    ],
    "0011": [
        "DROP TABLE bans",
        "DROP INDEX ix_members_room_id_role",
        "CREATE INDEX ix_members_room_id_joined_at ON members (room_id, joined_at, account_id)",
    ],
    "0010": ["DROP TABLE refreshes"],
    "0009": [f"DROP TABLE {name}" for name in ("reactions", "tallies", "pins")],
    "0008": [
        *(f"DROP TABLE {name}" for name in ("client_ids", "deletions", "revisions")),
        *(f"DROP TABLE {name}" for name in ("mentions", "followers", "thread_messages")),
        *(f"ALTER TABLE messages DROP COLUMN {name}" for name in ("revision", "edited_at", "deleted_by")),
        *(f"ALTER TABLE messages DROP COLUMN {name}" for name in ("reply_to_id", "reply_to_seq", "mentions")),
        *(f"ALTER TABLE messages DROP COLUMN {name}" for name in ("thread_id", "thread_seq")),
        *(f"ALTER TABLE messages DROP COLUMN {name}" for name in ("replies", "last_reply_seq")),
    ],
    "0007": ["DROP TABLE last_commits"],
    "0006": ["DROP TABLE nodes", "ALTER TABLE echoes DROP COLUMN node_id"],
    "0005": ["DROP INDEX ix_members_room_id_joined_at"],
    "0004": ["DROP TABLE closed_accounts", "DROP INDEX ix_sessions_expires_at"],
    "0003": [
        "DROP INDEX ix_accounts_skeleton",
        "ALTER TABLE accounts DROP COLUMN skeleton",
        "ALTER TABLE accounts DROP COLUMN ascii",
    ],
    "0002": [
        "DROP TABLE echoes",
        "DROP TABLE echo_lines",
        "DROP INDEX uq_rooms_unique_name",
        "ALTER TABLE rooms DROP COLUMN unique_name",
        "ALTER TABLE messages DROP COLUMN author",
        "DELETE FROM accounts WHERE id = 2147483646",
        "DELETE FROM logs WHERE id = -2147483646",
    ],
}


def back_to(town: Town, schema: str) -> None:
    """Take a database back to an older schema, and close it."""
    with town.database.writing() as tx:
        for version, statements in sorted(UNDONE.items(), reverse=True):
            for statement in statements if version > schema else ():
                tx.connection.execute(statement)
        tx.connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    town.database.close()
