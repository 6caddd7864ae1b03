"""Search: what is indexed of the logs of rooms, and what is found. The index is in `engines/index.py`.

A match is shown only if its room may be read in the snapshot of the query, and if the message as it is there matches.
"""

from typing import Final

from sqlalchemy import bindparam, select

from veche.core.deletion import MessageDeleted
from veche.core.editing import MessageEdited
from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.search import Found, FoundPage, Order, Place, Wanted, ranges_in, snippet_of
from veche.core.text import size_of
from veche.core.values import LOBBY_ID, LogId
from veche.storage.engines.engine import Transaction
from veche.storage.engines.index import Entry, Index, Match, Scope
from veche.storage.entries import read_entries
from veche.storage.log import logs
from veche.storage.membership import members
from veche.storage.messages import message_of, messages_by_id
from veche.storage.tables import PAGE_BYTES, Id

LOGS_AT_ONCE: Final = 5000

_ROOMS_OF = select(members.c.room_id).where(members.c.account_id == bindparam("account"))
_ROOM_HEADS = (
    select(logs.c.id, logs.c.last_seq)
    .where(logs.c.id > bindparam("after"))
    .order_by(logs.c.id)
    .limit(bindparam("limit", type_=Id))
)


def room_heads(tx: Transaction, after: LogId) -> list[tuple[LogId, int]]:
    """Read the heads of rooms' logs with ids above `after`, in the order of their ids: LOGS_AT_ONCE at most."""
    return [(row.id, row.last_seq) for row in tx.read(_ROOM_HEADS, after=after, limit=LOGS_AT_ONCE)]


def entries_to_index(tx: Transaction, log_id: LogId, after: int, upto: int, limit: int) -> tuple[list[Entry], int]:
    """Read what is new of a room's log with after < seq <= upto. Return it, and the seq up to which it was read.

    Messages are as they are now. A change of one that comes later in the log finds it as it is, and does no harm.
    """
    entries = read_entries(tx, log_id, after, upto, limit)
    found = [entry for event in entries if (entry := _entry_of(event)) is not None]
    return found, entries[-1].seq if entries else after


def _entry_of(event: LogEvent) -> Entry | None:
    match event:
        case Message():
            return _entry(event)
        case MessageEdited():
            return _entry(event.message)
        case MessageDeleted():
            return Entry(event.message_id, event.log_id, 0, 0, event.revision, "")
    return None


def _entry(message: Message) -> Entry:
    text = message.text if message.is_line else ""
    return Entry(message.id, message.log_id, message.sender.id, message.at, message.revision, text)


def readable_rooms(tx: Transaction, account_id: int) -> list[int]:
    """Read the ids of all rooms that an account may read."""
    return sorted({LOBBY_ID, *(row.room_id for row in tx.read(_ROOMS_OF, account=account_id))})


def search(tx: Transaction, index: Index, account_id: int, wanted: Wanted) -> FoundPage:
    """Search in what an account may read. If it is for one room, the caller has to check the access to the room.

    The page ends after `limit` messages, or after about 128 KiB of text: each text is analysed again.
    """
    rooms = [wanted.room_id] if wanted.room_id is not None else readable_rooms(tx, account_id)
    scope = Scope(rooms, wanted.sender_id, wanted.after, wanted.before)
    place = wanted.place or Place(index.top(tx))
    if wanted.order is Order.NEWEST:
        page = index.newest(tx, wanted.query, scope, place.below, wanted.limit + 1)
    else:
        page = index.best(tx, wanted.query, scope, place, wanted.limit + 1)
    found, last = _present(tx, page.matches[: wanted.limit], wanted, frozenset(rooms))
    is_whole = last is None or last is page.matches[-1]
    if wanted.order is Order.NEWEST:
        below = page.goes_on_below if is_whole or last is None else last.id
        return FoundPage(found, None if below is None else Place(below), True)
    following = None if is_whole or last is None else Place(place.below, last.id, last.score)
    return FoundPage(found, following, page.goes_on_below is None)


def _present(
    tx: Transaction, matches: list[Match], wanted: Wanted, rooms: frozenset[int]
) -> tuple[list[Found], Match | None]:
    """Return the messages that still match as they are now, and the last match that was looked at."""
    found: list[Found] = []
    size, last = 0, None
    messages = {row.id: message_of(row) for row in tx.read_by_keys(messages_by_id, [match.id for match in matches])}
    for last in matches:
        message = messages.get(last.id)
        if message is None or message.log_id not in rooms or not message.is_line:
            continue
        size += size_of(message.text)
        if (ranges := ranges_in(message.text, wanted.query)) is not None:
            found.append(Found(message, snippet_of(message.text, ranges)))
        if size > PAGE_BYTES:
            break
    return found, last
