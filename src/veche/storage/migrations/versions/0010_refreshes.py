"""Refresh tokens: how far each session has come."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "refreshes",
        sa.Column(
            "session_id",
            sa.String(64),
            sa.ForeignKey("sessions.id", name="fk_refreshes_session_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("parent_hash", sa.String(64)),
        sa.Column("parent_made_at", sa.BigInteger, nullable=False),
    )
