"""The topic of a room, archived rooms, slow mode, the notification level of a member, and who hides what they read."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the columns of rooms, of their members, and of accounts."""
    op.add_column("rooms", sa.Column("topic", sa.Text, nullable=False, server_default=""))
    op.add_column("rooms", sa.Column("archived_at", sa.BigInteger))
    op.add_column("rooms", sa.Column("slow_seconds", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("members", sa.Column("spoke_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("members", sa.Column("level", sa.String(16), nullable=False, server_default="all"))
    op.add_column("accounts", sa.Column("hides_reading", sa.Integer, nullable=False, server_default="0"))
