"""Mentions: who is mentioned where, for the counts of unread mentions."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, or_, select, update

from veche.core.deletion import MessageDeleted
from veche.core.editing import MentionsChanged
from veche.core.mentions import NO_MENTIONS, Mentions
from veche.core.messages import MessageRefers
from veche.storage.counting import ONE, Part, counts_by_key
from veche.storage.engines.engine import Transaction
from veche.storage.messages import mentions_as_stored, messages
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

MAX_COUNTED = 100  # unread mentions that are counted in one room: clients show 99+
EVERYBODY_ID = 0  # stands for everybody in the room

mentions = Table(
    "mentions",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
c = mentions.c

_insert = insert(mentions)
_delete = delete(mentions).where(c.room_id == bindparam("room"), c.seq == bindparam("place"))
_set = update(messages).where(messages.c.id == bindparam("message")).values(mentions=bindparam("stored"))


def _above(part: Part) -> Select[Any]:
    mine = or_(c.account_id == part(1), c.account_id == EVERYBODY_ID)
    return select(ONE).where(c.room_id == part(0), mine, c.seq > part(2))


_counts = counts_by_key(_above, MAX_COUNTED)


def _rows_of(room_id: int, seq: int, found: Mentions) -> Iterable[dict[str, Any]]:
    """Return one row if everybody is mentioned, or else one for each person: nobody is counted twice."""
    ids = (EVERYBODY_ID,) if found.room else found.ids
    return [{"room_id": room_id, "account_id": id, "seq": seq} for id in ids]


def _write(tx: Transaction, events: list[MessageRefers | MentionsChanged | MessageDeleted]) -> None:
    """Write the last mentions of each message."""
    last: dict[int, tuple[int, int, Mentions]] = {}
    changed = {}
    for event in events:
        if isinstance(event, MessageRefers):
            last[event.message_id] = (event.room_id, event.seq, event.references.mentions)
        elif isinstance(event, MentionsChanged):
            last[event.message_id] = changed[event.message_id] = (event.room_id, event.seq, event.mentions)
        else:
            last[event.message_id] = changed[event.message_id] = (event.log_id, event.message_seq, NO_MENTIONS)
    tx.write_each(_delete, [{"room": room_id, "place": seq} for room_id, seq, _ in changed.values()])
    new = [(id, found) for id, (_, _, found) in last.items() if id in changed or found != NO_MENTIONS]
    tx.write_each(_set, [{"message": id, "stored": mentions_as_stored(found)} for id, found in new])
    tx.write_each(_insert, [row for room_id, seq, found in last.values() for row in _rows_of(room_id, seq, found)])


SUBJECT = Subject(writes={(MessageRefers, MentionsChanged, MessageDeleted): _write})


# Queries.


def mentions_above(tx: Transaction, account_id: int, positions: Collection[tuple[int, int]]) -> dict[int, int]:
    """Count the mentions of an account above a seq, for pairs of a room and a seq, up to MAX_COUNTED in each room."""
    keys = [(room_id, account_id, seq) for room_id, seq in positions]
    return {row.of_key: row.count_ for row in tx.read_by_keys(_counts, keys)}
