"""Blocks: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, select

from veche.core.blocks import BLOCK_COUNTS, BLOCKS, PersonBlocked, PersonUnblocked
from veche.core.values import Person
from veche.storage.accounts import accounts, person_of
from veche.storage.counting import rows_by_key
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

blocks = Table(
    "blocks",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("blocked_id", Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
c = blocks.c
a = accounts.c

_insert = insert(blocks)
_delete = delete(blocks).where(c.account_id == bindparam("account"), c.blocked_id == bindparam("blocked"))
_PAGE = (
    select(a.id, a.username, a.name)
    .join(blocks, c.blocked_id == a.id)
    .where(c.account_id == bindparam("account"), c.blocked_id > bindparam("after"))
    .order_by(c.blocked_id)
    .limit(bindparam("limit", type_=Id))
)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(blocks), c.account_id, c.blocked_id)


def _load(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], int]]:
    return (((row.account_id, row.blocked_id), row.at) for row in tx.read_by_keys(_by_key, keys))


def _write(tx: Transaction, events: list[PersonBlocked | PersonUnblocked]) -> None:
    """Write what the last event of each pair says: delete what was there, and insert what is there now."""
    last = {(event.account_id, event.blocked_id): event for event in events}
    tx.write_each(_delete, [{"account": account_id, "blocked": blocked_id} for account_id, blocked_id in last])
    new = [
        {"account_id": event.account_id, "blocked_id": event.blocked_id, "at": event.at}
        for event in last.values()
        if isinstance(event, PersonBlocked)
    ]
    tx.write_each(_insert, new)


SUBJECT = Subject(
    loads={BLOCKS: _load, BLOCK_COUNTS: rows_by_key(c.account_id)},
    writes={(PersonBlocked, PersonUnblocked): _write},
)


# Queries.


def blocked_by(tx: Transaction, account_id: int, after: int, limit: int) -> list[Person]:
    """Read whom an account has blocked, in the order of account ids, starting after the id `after`."""
    found = tx.read(_PAGE, account=account_id, after=after, limit=limit)
    return [person_of(row) for row in found]
