"""Pins: which messages a room keeps at hand, who pinned them, and when."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, select

from veche.core.deletion import MessageDeleted
from veche.core.pins import PINS, MessagePinned
from veche.core.views import PinView
from veche.storage.accounts import people
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.messages import message_of, messages_by_id
from veche.storage.reactions import with_reactions
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

pins = Table(
    "pins",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("message_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),  # of the entry of the room's log
    Column("account_id", Id, nullable=False),
    Column("pinned_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
c = pins.c

_insert = insert(pins)
_delete = delete(pins).where(c.room_id == bindparam("room"), c.message_id == bindparam("message"))
_PAGE = (
    select(pins)
    .where(c.room_id == bindparam("room"), c.seq < bindparam("before"))
    .order_by(c.seq.desc())
    .limit(bindparam("limit", type_=Id))
)


def _of_rooms(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.room_id, c.message_id, c.seq), c.room_id)


def _load(tx: Transaction, room_ids: Collection[int]) -> Iterable[tuple[int, dict[int, int]]]:
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row in tx.read_by_keys(_of_rooms, room_ids):
        found[row.room_id][row.message_id] = row.seq
    return found.items()


def _write(tx: Transaction, events: list[MessagePinned]) -> None:
    """Write the last pin of each message."""
    last = {(event.log_id, event.message_id): event for event in events}
    tx.write_each(_delete, [{"room": room_id, "message": id} for room_id, id in last])
    rows = [
        {"room_id": room_id, "message_id": id, "seq": event.seq, "account_id": event.person.id, "pinned_at": event.at}
        for (room_id, id), event in last.items()
        if event.pinned
    ]
    tx.write_each(_insert, rows)


def _write_deletions(tx: Transaction, events: list[MessageDeleted]) -> None:
    """Take away the pins of messages that are deleted. Nobody pins them afterwards."""
    tx.write_each(_delete, [{"room": event.log_id, "message": event.message_id} for event in events])


SUBJECT = Subject(
    loads={PINS: _load},
    writes={(MessagePinned,): _write, (MessageDeleted,): _write_deletions},
    entries=(MessagePinned,),
)


# Queries.


def pinned(tx: Transaction, room_id: int, account_id: int, before: int, limit: int) -> list[PinView]:
    """Read pins of a room, the newest first: those whose seq is below `before`."""
    found = tx.read(_PAGE, room=room_id, before=before, limit=limit)
    rows = tx.read_by_keys(messages_by_id, [row.message_id for row in found])
    messages = {one.id: one for one in with_reactions(tx, account_id, [message_of(row) for row in rows])}
    by = people(tx, {row.account_id for row in found})
    return [PinView(messages[row.message_id], row.seq, by[row.account_id], row.pinned_at) for row in found]
