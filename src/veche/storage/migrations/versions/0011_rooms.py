"""Roles in rooms and bans from rooms. The index that finds the next owner of a room looks at roles."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Replace the index of the members of a room by one that has their roles, and create the table of bans."""
    op.create_index("ix_members_room_id_role", "members", ["room_id", "role", "joined_at", "account_id"])
    op.drop_index("ix_members_room_id_joined_at", "members")
    op.create_table(
        "bans",
        sa.Column("room_id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", Id, primary_key=True, autoincrement=False),
        sa.Column("by_id", Id, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sqlite_with_rowid=False,
    )
