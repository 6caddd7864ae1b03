"""Closed accounts: the table, what decisions read from it, and how it is written.

The names of a deleted account are written in `storage/accounts.py`, in order with the other changes of names.
"""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, Select, Table, Text, bindparam, delete, insert, select

from veche.core.accounts import CLOSED, GONE
from veche.core.closing import AccountDeleted, AccountDisabled, AccountEnabled
from veche.core.names import gone_key
from veche.core.values import Closed
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

closed_accounts = Table(
    "closed_accounts",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("gone", Text, index=True),  # `gone_key` of the handle that a deleted account had
)
c = closed_accounts.c

_insert = insert(closed_accounts)
_delete = delete(closed_accounts).where(c.account_id == bindparam("account"))


def _by_account(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(closed_accounts), c.account_id)


def _load(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, Closed]]:
    return ((row.account_id, Closed(row.closed_at, bool(row.deleted))) for row in tx.read_by_keys(_by_account, ids))


def _by_gone(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.gone, c.account_id), c.gone)


def _load_gone(tx: Transaction, keys: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.gone, row.account_id) for row in tx.read_by_keys(_by_gone, keys))


def _write(tx: Transaction, events: list[AccountDisabled | AccountEnabled | AccountDeleted]) -> None:
    for event in events:
        if isinstance(event, AccountDisabled):
            _close(tx, event.account_id, event.closed)
        elif isinstance(event, AccountEnabled):
            tx.write_each(_delete, [{"account": event.account_id}])
        else:
            tx.write_each(_delete, [{"account": event.account.id}])
            _close(tx, event.account.id, event.closed, gone_key(event.old.handle))


def _close(tx: Transaction, account_id: int, closed: Closed, gone: str | None = None) -> None:
    row = {"account_id": account_id, "closed_at": closed.at, "deleted": int(closed.deleted), "gone": gone}
    tx.write_each(_insert, [row])


SUBJECT = Subject(
    loads={CLOSED: _load, GONE: _load_gone}, writes={(AccountDisabled, AccountEnabled, AccountDeleted): _write}
)


# Queries.


def closed(tx: Transaction, account_ids: Collection[int]) -> dict[int, Closed]:
    """Return since when these accounts are closed, by id. Ids of open accounts are left out."""
    return dict(_load(tx, account_ids))
