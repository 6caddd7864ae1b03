"""The nodes that serve this database, and which node each conversation with the echo belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table of nodes, and the column of echoes."""
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("machine", sa.String(32), nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("shares_bus", sa.Integer, nullable=False),
        sa.Column("lobby_seq", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    op.add_column("echoes", sa.Column("node_id", sa.String(32)))
