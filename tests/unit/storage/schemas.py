"""Takes back what migrations did, so that a test has the database of an older version."""

from .conftest import Town

UNDONE: dict[str, list[str]] = {
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
