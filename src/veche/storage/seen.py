"""Who has seen a message: derived from the read pointers of the members of its room."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from veche.core.messages import Message
from veche.core.values import LOBBY_ID, Person
from veche.storage.accounts import account_by_id, accounts, person_of
from veche.storage.engines.engine import Transaction
from veche.storage.membership import members
from veche.storage.messages import message
from veche.storage.tables import Id

SCANNED = 1000  # members that are looked at for one page

a, c = accounts.c, members.c
_MEMBERS = (
    select(a.id, a.username, a.name, a.hides_reading, c.read_seq, c.joined_at)
    .join(members, c.account_id == a.id)
    .where(c.room_id == bindparam("room"), c.account_id > bindparam("after"))
    .order_by(c.account_id)
    .limit(bindparam("limit", type_=Id))
)


class SeenBy(NamedTuple):
    """A page of those who have seen a message. `last_id` is the id after which the next page begins, or None.

    `hidden`: the asker hides what they read, so the page is empty. `scanned` is how many members were looked at.
    """

    message: Message | None
    hidden: bool
    people: list[Person]
    last_id: int | None
    scanned: int


def seen_by(
    tx: Transaction, room_id: int, message_id: int, asker_id: int, after: int, limit: int, scanned: int = SCANNED
) -> SeenBy:
    """Read who has seen a message: members with an id above `after`, at most `limit` of them, in the order of ids.

    A page ends after `scanned` members of the room, so it may have fewer people, and more may follow.
    Not its sender, nor who hides what they read, nor who joined later: for them it counts as read, seen or not.
    """
    found, asker = message(tx, message_id), account_by_id(tx, asker_id)
    if found is None or asker is None or asker.hides_reading:
        return SeenBy(found, asker is not None and asker.hides_reading, [], None, 0)
    rows = tx.read(_MEMBERS, room=room_id, after=after, limit=scanned)
    seen = [person_of(row) for row in rows if _has_seen(row, found)]
    if len(seen) > limit:
        return SeenBy(found, False, seen[:limit], seen[limit - 1].id, len(rows))
    return SeenBy(found, False, seen, rows[-1].id if len(rows) == scanned else None, len(rows))


def _has_seen(row: Any, message: Message) -> bool:
    if row.hides_reading or row.id == message.sender.id or row.read_seq < message.seq:
        return False
    # Everybody is in the lobby. There, the row is as old as the first pointer.
    return message.log_id == LOBBY_ID or row.joined_at < message.at
