"""The devices of sessions, and an index that lists the sessions of an account by their beginning."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column, and replace the index of sessions by account."""
    op.add_column("sessions", sa.Column("device", sa.String(64)))
    op.create_index("ix_sessions_account_id_created_at", "sessions", ["account_id", "created_at", "id"])
    op.drop_index("ix_sessions_account_id", "sessions")
