"""The words by which people are found."""

import sqlalchemy as sa
from alembic import op

from veche.core.people import words_of
from veche.core.values import RESERVED_IDS

revision = "0019"
down_revision = "0018"

PAGE = 1000
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
accounts = sa.table("accounts", sa.column("id", Id), sa.column("username", sa.Text), sa.column("name", sa.Text))
closed = sa.table("closed_accounts", sa.column("account_id", Id), sa.column("deleted", sa.Integer))


def upgrade() -> None:
    """Create the table, and fill it with the words of everybody who is not deleted."""
    words = op.create_table(
        "person_words",
        sa.Column("word", Word, primary_key=True),
        sa.Column("account_id", Id, primary_key=True, autoincrement=False, index=True),
        sqlite_with_rowid=False,
    )
    _fill(op.get_bind(), words)


def _fill(connection: sa.Connection, words: sa.Table) -> None:
    deleted = sa.select(closed.c.account_id).where(closed.c.deleted == 1)
    page = sa.select(accounts).where(accounts.c.id < RESERVED_IDS, accounts.c.id.not_in(deleted))
    page, last = page.order_by(accounts.c.id).limit(PAGE), 0
    while rows := connection.execute(page.where(accounts.c.id > last)).all():
        last = rows[-1].id
        found = [{"word": word, "account_id": row.id} for row in rows for word in words_of(row.username, row.name)]
        connection.execute(sa.insert(words), found)
