"""The index of the search on PostgreSQL. On SQLite it is in a file of its own."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables of the index."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("CREATE TABLE search_positions (log_id bigint PRIMARY KEY, seq bigint NOT NULL)")
    op.execute("CREATE TABLE search_made_for (value text NOT NULL)")
    op.execute(
        "CREATE TABLE search_entries (id bigint PRIMARY KEY, room_id bigint NOT NULL, sender_id bigint NOT NULL,"
        " at bigint NOT NULL, revision bigint NOT NULL, tokens tsvector NOT NULL)"
    )
    # Entries that are not merged yet are searched one by one, so there should be few.
    op.execute(
        "CREATE INDEX ix_search_entries_tokens ON search_entries USING gin (tokens)"
        " WITH (fastupdate = on, gin_pending_list_limit = 256)"
    )
