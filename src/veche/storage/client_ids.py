"""Client ids: the table of their first uses, apart from those that messages show (`core.client_ids`)."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, Text, insert, select

from veche.core.client_ids import FIRST_USES, ClientIdUsed, FirstUse
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

client_ids = Table(
    "client_ids",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("client_id", Text, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
c = client_ids.c

_insert = insert(client_ids)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(client_ids), c.account_id, c.client_id)


def _load(tx: Transaction, keys: Collection[tuple[int, str]]) -> Iterator[tuple[tuple[int, str], FirstUse]]:
    return ((row[:2], FirstUse(row.digest, row.answer)) for row in tx.read_by_keys(_by_key, keys))


def _write(tx: Transaction, events: list[ClientIdUsed]) -> None:
    rows = [
        {
            "account_id": event.account_id,
            "client_id": event.client_id,
            "digest": event.use.digest,
            "answer": event.use.answer,
            "used_at": event.at,
        }
        for event in events
    ]
    tx.write_each(_insert, rows, unique=("account_id", "client_id"))


SUBJECT = Subject(loads={FIRST_USES: _load}, writes={(ClientIdUsed,): _write})
