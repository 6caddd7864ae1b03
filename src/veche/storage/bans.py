"""Bans from rooms: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, or_, select

from veche.core.bans import MemberBanned, MemberUnbanned
from veche.core.rooms import BANS
from veche.core.values import Ban
from veche.core.views import BanView
from veche.storage.accounts import accounts, person_of
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

bans = Table(
    "bans",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("by_id", Id, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger),
    sqlite_with_rowid=False,
)
c = bans.c
a = accounts.c

_insert = insert(bans)
_delete = delete(bans).where(c.room_id == bindparam("room"), c.account_id == bindparam("account"))
_PAGE = (
    select(a.id, a.username, a.name, c.by_id, c.at, c.until)
    .join(bans, c.account_id == a.id)
    .where(c.room_id == bindparam("room"), c.account_id > bindparam("after"))
    .where(or_(c.until.is_(None), c.until > bindparam("now")))
    .order_by(c.account_id)
    .limit(bindparam("limit", type_=Id))
)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(bans), c.room_id, c.account_id)


def _load(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Ban]]:
    for row in tx.read_by_keys(_by_key, keys):
        yield (row.room_id, row.account_id), Ban(row.room_id, row.account_id, row.by_id, row.at, row.until)


def _write(tx: Transaction, events: list[MemberBanned | MemberUnbanned]) -> None:
    """Write what the last event of each account says: delete what was there, and insert what is there now."""
    last = {(event.log_id, event.person.id): event for event in events}
    tx.write_each(_delete, [{"room": room_id, "account": account_id} for room_id, account_id in last])
    new = [
        {"room_id": key[0], "account_id": key[1], "by_id": event.by_id, "at": event.at, "until": event.until}
        for key, event in last.items()
        if isinstance(event, MemberBanned)
    ]
    tx.write_each(_insert, new)


SUBJECT = Subject(
    loads={BANS: _load},
    writes={(MemberBanned, MemberUnbanned): _write},
    entries=(MemberBanned, MemberUnbanned),
)


# Queries.


def list_bans(tx: Transaction, room_id: int, after: int, limit: int, now: int) -> list[BanView]:
    """Read the bans of a room that are not over, in the order of account ids, starting after the id `after`.

    `now` is in microseconds since 1970.
    """
    found = tx.read(_PAGE, room=room_id, after=after, limit=limit, now=now)
    return [BanView(person_of(row), row.by_id, row.at, row.until) for row in found]
