"""People found by the beginning of a name: the table of their words, and how it is written and read."""

from typing import Any

from sqlalchemy import Column, Table, Text, bindparam, delete, insert, select

from veche.core.accounts import AccountRegistered, AccountRenamed
from veche.core.closing import AccountDeleted
from veche.core.people import words_of
from veche.core.profile import ProfileChanged
from veche.core.values import Account, Person
from veche.storage.accounts import accounts, person_of
from veche.storage.blocks import blocks
from veche.storage.closing import closed_accounts
from veche.storage.engines.engine import Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

WORDS_OF_ONE = 4  # words of one person that may begin alike: about how many rows are read for each who is found
# Compared byte by byte on both databases, so that the words with one beginning stand together.
Word = Text().with_variant(Text(collation="C"), "postgresql")

person_words = Table(
    "person_words",
    metadata,
    Column("word", Word, primary_key=True),
    Column("account_id", Id, primary_key=True, autoincrement=False, index=True),
    sqlite_with_rowid=False,
)
c = person_words.c
a = accounts.c

_insert = insert(person_words)
_delete = delete(person_words).where(c.account_id == bindparam("account"))
_blocked = select(blocks.c.at).where(blocks.c.account_id == a.id, blocks.c.blocked_id == bindparam("by")).exists()
_closed = select(closed_accounts.c.closed_at).where(closed_accounts.c.account_id == a.id).exists()
_BY_PREFIX = (
    select(a.id, a.username, a.name, c.word)
    .join(person_words, c.account_id == a.id)
    .where(c.word >= bindparam("prefix"), c.word < bindparam("behind"), a.id != bindparam("by"))
    .where(~_blocked, ~_closed)
    .order_by(c.word, a.id)
    .limit(bindparam("limit", type_=Id))
)


def _write(tx: Transaction, events: list[AccountRegistered | AccountRenamed | ProfileChanged | AccountDeleted]) -> None:
    """Write the words of what each account is called last. A deleted account has none."""
    last = {event.account.id: event for event in events}
    old = [{"account": id} for id, event in last.items() if not isinstance(event, AccountRegistered)]
    tx.write_each(_delete, old)
    for event in last.values():
        if not isinstance(event, AccountDeleted):
            tx.write_each(_insert, rows_of(event.account))


def rows_of(account: Account) -> list[dict[str, Any]]:
    """Return the rows of an account, in one order, so that two transactions do not wait for each other."""
    return [{"word": word, "account_id": account.id} for word in sorted(words_of(account.username, account.name))]


SUBJECT = Subject(writes={(AccountRegistered, AccountRenamed, ProfileChanged, AccountDeleted): _write})


# Queries.


def people_by_prefix(tx: Transaction, by: int, prefix: str, limit: int) -> list[Person]:
    """Read people one of whose words begins so, in the order of these words. `by` is who asks, and is left out.

    So are closed accounts, and those that have blocked `by`. `prefix` is folded, and not empty.
    """
    behind = prefix + chr(0x10FFFF)
    rows = tx.read(_BY_PREFIX, by=by, prefix=prefix, behind=behind, limit=WORDS_OF_ONE * limit)
    found = {row.id: person_of(row) for row in rows}
    return list(found.values())[:limit]
