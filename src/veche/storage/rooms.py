"""Rooms: the table, what decisions and queries read from it, and how it is written."""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Select,
    String,
    Table,
    Text,
    bindparam,
    case,
    insert,
    or_,
    select,
    update,
)

from veche.core.access import Right, Verdict, verdict_for
from veche.core.room_renaming import RoomRenamed
from veche.core.rooms import DIRECT_ROOMS, ROOM_NAMES, ROOMS, RoomCreated
from veche.core.values import LOBBY_ID, PUBLIC, Head, Kind, Member, Person, Room, account_log
from veche.core.views import RoomView, Welcome
from veche.storage.accounts import people
from veche.storage.deletion import deletions_above
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.log import head_seqs, load_heads, logs
from veche.storage.membership import load_members, members
from veche.storage.mentions import mentions_above
from veche.storage.messages import message_of, messages_by_id
from veche.storage.reactions import with_reactions
from veche.storage.sessions import exists
from veche.storage.subject import Subject
from veche.storage.tables import Id, epoch, id_column, metadata

T = TypeVar("T")

rooms = Table(
    "rooms",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("creator_id", Id, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("direct_key", String(64), unique=True),
    Column("unique_name", Text),
    Column("topic", Text, nullable=False, server_default=""),
    Column("archived_at", BigInteger),
    Column("slow_seconds", BigInteger, nullable=False, server_default="0"),
    Index("uq_rooms_unique_name", "unique_name", unique=True),
)
c = rooms.c

_ROOM = select(rooms)
_ROOM_BY_ID = _ROOM.where(c.id == bindparam("room"))
_ids_of = select(members.c.room_id).where(members.c.account_id == bindparam("account"))
_PAGE = _ROOM.where(c.id > bindparam("after")).order_by(c.id).limit(bindparam("limit", type_=Id))
_ROOMS_OF = _PAGE.where(c.id.in_(_ids_of), c.kind != str(Kind.LOBBY))
_PUBLIC_ROOMS = _PAGE.where(or_(*[c.kind == str(kind) for kind in sorted(PUBLIC)]), c.archived_at.is_(None))
_HEADS_OF = (
    select(members.c.room_id, logs.c.last_seq, logs.c.last_message_id)
    .join(logs, logs.c.id == members.c.room_id)
    .where(members.c.account_id == bindparam("account"), members.c.room_id != LOBBY_ID)
)
ALL = 2**31 - 1  # as a limit: all rows

_insert = insert(rooms)
_rename = (
    update(rooms)
    .where(c.id == bindparam("room"))
    .values(
        name=bindparam("new_name"),
        unique_name=case((c.unique_name.is_not(None), bindparam("new_name")), else_=None),
    )
)


def _room(row: Any) -> Room:
    kind = Kind(row.kind)
    return Room(
        row.id,
        kind,
        row.name,
        row.creator_id,
        row.created_at,
        row.direct_key,
        row.unique_name,
        row.topic,
        row.archived_at,
        row.slow_seconds,
    )


def _by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(_ROOM, c.id)


def _by_direct_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.direct_key, c.id), c.direct_key)


def _by_unique_name(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.unique_name, c.id), c.unique_name)


def _load_rooms(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, Room]]:
    return ((row.id, _room(row)) for row in tx.read_by_keys(_by_id, ids))


def _load_direct_rooms(tx: Transaction, keys: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.direct_key, row.id) for row in tx.read_by_keys(_by_direct_key, keys))


def _load_room_names(tx: Transaction, names: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.unique_name, row.id) for row in tx.read_by_keys(_by_unique_name, names))


def _write(tx: Transaction, events: list[RoomCreated | RoomRenamed]) -> None:
    """Write the events one after another: a unique name may be given up and taken in one batch."""
    for event in events:
        if isinstance(event, RoomCreated):
            tx.write_each(_insert, [{name: getattr(event.room, name) for name in Room.__struct_fields__}])
        else:
            tx.write_each(_rename, [{"room": event.log_id, "new_name": event.name}])


SUBJECT = Subject(
    loads={ROOMS: _load_rooms, DIRECT_ROOMS: _load_direct_rooms, ROOM_NAMES: _load_room_names},
    writes={(RoomCreated, RoomRenamed): _write},
    entries=(RoomRenamed,),
    keeps=(ROOMS,),
    unique=(DIRECT_ROOMS, ROOM_NAMES),
)


# Queries.


def rooms_by_id(tx: Transaction, room_ids: Iterable[int]) -> dict[int, Room]:
    """Return these rooms by id. Ids without a room are left out."""
    return dict(_load_rooms(tx, list(room_ids)))


def welcome(tx: Transaction, account_id: int, session_id: str, limit: int = ALL) -> Welcome:
    """Read what a client needs when it connects: at most `limit` rooms, and the heads of all."""
    found = tx.read(_HEADS_OF, account=account_id)
    newest = heapq.nlargest(limit, found, key=lambda row: (row.last_message_id or 0, row.room_id))
    rows = tx.read_by_keys(_by_id, sorted(row.room_id for row in newest))
    views = _views(tx, account_id, sorted(rows, key=lambda row: row.id), with_last=False)
    ends = head_seqs(tx, [account_log(account_id), LOBBY_ID]) | {row.room_id: row.last_seq for row in found}
    return Welcome(exists(tx, session_id), epoch(tx), views, ends, len(found) > limit)


def room(tx: Transaction, room_id: int, account_id: int) -> RoomView | None:
    """Return a room as one account sees it, or None. The caller has to check the access."""
    return next(iter(_views(tx, account_id, tx.read(_ROOM_BY_ID, room=room_id))), None)


def beside_room(
    tx: Transaction, room_id: int, account_id: int, query: Callable[[Transaction], T]
) -> tuple[RoomView | None, T]:
    """Read a room as `room` does, without its last message, and run a query in the same snapshot.

    So the caller can check the access as of the snapshot, and a removed member sees nothing that was sent later.
    """
    views = _views(tx, account_id, tx.read(_ROOM_BY_ID, room=room_id), with_last=False)
    return next(iter(views), None), query(tx)


def rooms_of(tx: Transaction, account_id: int, after: int = 0, limit: int | None = None) -> list[RoomView]:
    """Return the rooms that an account is a member of, without the lobby, ordered by id."""
    found = tx.read(_ROOMS_OF, account=account_id, after=after, limit=limit if limit is not None else ALL)
    return _views(tx, account_id, found)


def public_rooms(tx: Transaction, account_id: int, after: int, limit: int) -> list[RoomView]:
    """Return the public rooms with an id above `after` that are not archived, ordered by id."""
    return _views(tx, account_id, tx.read(_PUBLIC_ROOMS, after=after, limit=limit))


def _views(tx: Transaction, account_id: int, rows: Sequence[Any], *, with_last: bool = True) -> list[RoomView]:
    found = [_room(row) for row in rows]
    ids = [room.id for room in found]
    ends = dict(load_heads(tx, ids))
    mine = {room_id: member for (room_id, _), member in load_members(tx, [(id, account_id) for id in ids])}
    last_ids = [head.last_message_id for head in ends.values() if head.last_message_id is not None and with_last]
    newest = [message_of(row) for row in tx.read_by_keys(messages_by_id, last_ids)]
    last = {message.log_id: message for message in (with_reactions(tx, account_id, newest) if newest else ())}
    peers = _peers(tx, account_id, found)
    unread = _unread_from(ends, mine)
    deleted, mentioned = deletions_above(tx, unread), mentions_above(tx, account_id, unread)
    return [
        RoomView(
            room,
            ends[room.id],
            mine.get(room.id),
            peers.get(room.id),
            last.get(room.id) if verdict_for(Right.READ, room, mine.get(room.id)) is Verdict.YES else None,
            deleted.get(room.id, 0),
            mentioned.get(room.id, 0),
        )
        for room in found
    ]


def _unread_from(ends: Mapping[int, Head], mine: Mapping[int, Member]) -> list[tuple[int, int]]:
    """Return the read pointers in the rooms that have unread messages: pairs of a room and a seq."""
    unread = [member for room_id, member in mine.items() if ends[room_id].message_count > member.read_count]
    return [(member.room_id, member.read_seq) for member in unread]


def _peers(tx: Transaction, account_id: int, found: list[Room]) -> dict[int, Person]:
    others = {room.id: other for room in found if (other := room.peer_of(account_id)) is not None}
    faces = people(tx, others.values()) if others else {}
    return {room_id: faces[other] for room_id, other in others.items() if other in faces}
