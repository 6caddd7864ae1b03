"""Log entries. They are stored in two tables, `messages` and `events`.

This module writes the entries of a batch to `events`, and reads pages of a log from both tables.
"""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import bindparam, select

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.text import size_of
from veche.core.values import LogId
from veche.storage.accounts import people
from veche.storage.codec import Codec
from veche.storage.engines.engine import Transaction
from veche.storage.log import events, insert_events
from veche.storage.messages import message_of, messages_between, messages_by_id
from veche.storage.rooms import rooms_by_id
from veche.storage.subjects import SUBJECTS
from veche.storage.tables import PAGE_BYTES, Id

EVENT_TYPES = tuple(chain.from_iterable(subject.entries for subject in SUBJECTS))
CODEC = Codec(EVENT_TYPES)
AT_ONCE = 8  # messages that are read in one statement, each of up to 64 KiB

c = events.c
_EVENTS_BETWEEN = (
    select(events)
    .where(c.log_id == bindparam("log"), c.seq > bindparam("after"), c.seq <= bindparam("upto"))
    .order_by(c.seq)
    .limit(bindparam("limit", type_=Id))
)


def append_entries(tx: Transaction, recorded: Sequence[LogEvent]) -> None:
    """Write entries to the table `events`, in one statement. All of them must be of types in EVENT_TYPES."""
    insert_events(tx, [CODEC.encode(event) for event in recorded])


def read_entries(tx: Transaction, log_id: LogId, after: int, upto: int, limit: int) -> list[LogEvent]:
    """Read the entries of a log with after < seq <= upto, in order.

    Return at most `limit` entries, and about 128 KiB of message text at most.
    """
    found: list[LogEvent] = _events_between(tx, log_id, after, upto, limit)
    if log_id > 0:
        found += messages_between(tx, log_id, after, upto, limit)
        found.sort(key=lambda event: event.seq)
    return _up_to_first_gap(found[:limit], after)


def _up_to_first_gap(found: list[LogEvent], after: int) -> list[LogEvent]:
    """Return the entries before the first gap in the seqs.

    A gap is possible because one of the two tables may have been read less far than the other.
    """
    for index, event in enumerate(found):
        if event.seq != after + 1 + index:
            return found[:index]
    return found


def _events_between(tx: Transaction, log_id: LogId, after: int, upto: int, limit: int) -> list[LogEvent]:
    found = tx.read(_EVENTS_BETWEEN, log=log_id, after=after, upto=upto, limit=limit)
    if not found:
        return []
    rooms = rooms_by_id(tx, {row.room_id for row in found if row.room_id is not None})
    account_ids = {row.account_id for row in found if row.account_id is not None}
    peers = {peer for room in rooms.values() if (peer := room.peer_of(-log_id)) is not None}
    people_by_id = people(tx, account_ids | peers)
    messages, complete = _messages_of(tx, found)
    return [CODEC.decode(row, people_by_id, rooms, messages) for row in found[:complete]]


def _messages_of(tx: Transaction, found: Sequence[Any]) -> tuple[dict[int, Message], int]:
    """Read the messages that entries have, until they have more text than a page.

    Return them by id, and how many of the entries have their messages.
    """
    ids = [CODEC.message_id_of(row) for row in found]
    messages: dict[int, Message] = {}
    wanted = iter(dict.fromkeys(id for id in ids if id is not None))
    while part := list(islice(wanted, AT_ONCE)):
        messages |= {row.id: message_of(row) for row in tx.read_by_keys(messages_by_id, part)}
        if sum(size_of(message.text) for message in messages.values()) > PAGE_BYTES:
            break
    missing = (index for index, id in enumerate(ids) if id is not None and id not in messages)
    return messages, next(missing, len(ids))
