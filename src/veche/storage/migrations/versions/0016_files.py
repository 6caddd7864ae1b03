"""Files: what accounts have uploaded, how much that is, and which files each message has."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables and the column."""
    op.create_table(
        "files",
        sa.Column("id", sa.String(32), primary_key=True, autoincrement=False),
        sa.Column("owner_id", Id, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("width", sa.BigInteger),
        sa.Column("height", sa.BigInteger),
        sa.Column("room_id", Id),
        sa.Column("message_id", Id),
    )
    op.create_index("ix_files_message_id", "files", ["message_id"])
    op.create_index("ix_files_state_created_at", "files", ["state", "created_at"])
    op.create_table(
        "usages",
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.add_column("messages", sa.Column("files", sa.Text))
