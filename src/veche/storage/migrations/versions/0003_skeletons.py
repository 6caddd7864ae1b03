"""The skeletons of usernames, by which usernames that look alike are found."""

import sqlalchemy as sa
from alembic import op

from veche.core.names import skeleton_of

revision = "0003"
down_revision = "0002"

PAGE = 1000
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
accounts = sa.table(
    "accounts",
    sa.column("id", Id),
    sa.column("username", sa.Text),
    sa.column("skeleton", sa.Text),
    sa.column("ascii", sa.Integer),
)


def upgrade() -> None:
    """Add the skeleton of each username, whether it is ASCII, and the index."""
    op.add_column("accounts", sa.Column("skeleton", sa.Text))
    op.add_column("accounts", sa.Column("ascii", sa.Integer))
    op.create_index("ix_accounts_skeleton", "accounts", ["skeleton", "ascii"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    page = sa.select(accounts.c.id, accounts.c.username).order_by(accounts.c.id).limit(PAGE)
    fill = sa.update(accounts).where(accounts.c.id == sa.bindparam("account"))
    last = 0
    while rows := connection.execute(page.where(accounts.c.id > last)).all():
        last = rows[-1].id
        values = [
            {"account": row.id, "skeleton": skeleton_of(row.username), "ascii": int(row.username.isascii())}
            for row in rows
        ]
        connection.execute(fill, values)
