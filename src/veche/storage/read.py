"""Queries: each is one function of a snapshot (a connection in a read transaction) and plain values."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Connection, Select, and_, func, select

from veche.core.accounts import RESERVED_IDS, Account, Person, Session
from veche.core.events import LogEvent, Message
from veche.core.rooms import LOBBY_ID, PUBLIC, Head, Kind, LogId, Role, Room, account_log, direct_peer
from veche.core.text import handle_of, size_of
from veche.core.views import EchoLine, MemberView, MessagePage, RoomView, Welcome
from veche.storage import schema as t
from veche.storage.entries import event_of
from veche.storage.rows import ACCOUNTS, HEADS, MEMBERS, MESSAGES, ROOMS, member_of, message_of, room_of, rows
from veche.storage.sqlite import by_key

T = TypeVar("T")

_heads = by_key(HEADS, t.logs.c.id)
_people = by_key(select(t.accounts.c.id, t.accounts.c.username, t.accounts.c.name), t.accounts.c.id)
_rooms = by_key(ROOMS, t.rooms.c.id)
_messages = by_key(MESSAGES, t.messages.c.id)
_events = select(
    t.events.c.log_id,
    t.events.c.seq,
    t.events.c.kind,
    t.events.c.created_at,
    t.events.c.account_id,
    t.events.c.room_id,
    t.events.c.data,
)

_echo_lines = select(t.echo_lines.c.id, t.echo_lines.c.source, t.echo_lines.c.text, t.echo_lines.c.created_at)

PAGE_BYTES = 131_072
PAGE_ECHOES = 1000


def epoch(connection: Connection) -> str:
    """Name this history: another name means that a restore may have shortened the logs."""
    return str(connection.scalars(select(t.meta.c.value).where(t.meta.c.key == "epoch")).one())


def session(connection: Connection, session_id: str) -> tuple[Session, Account] | None:
    """Find a session that stands, with its account."""
    found = connection.execute(select(t.sessions).where(t.sessions.c.id == session_id)).one_or_none()
    if found is None or (account := account_by_id(connection, found.account_id)) is None:
        return None
    return Session(found.id, found.account_id, found.origin, found.created_at, found.expires_at), account


def longest_session(connection: Connection, account_id: int) -> Session | None:
    """Find the session of an account that expires last."""
    query = select(t.sessions).where(t.sessions.c.account_id == account_id)
    row = connection.execute(query.order_by(t.sessions.c.expires_at.desc()).limit(1)).one_or_none()
    return Session(row.id, row.account_id, row.origin, row.created_at, row.expires_at) if row else None


def account_by_id(connection: Connection, account_id: int) -> Account | None:
    """Find an account."""
    row = connection.execute(ACCOUNTS.where(t.accounts.c.id == account_id)).one_or_none()
    return Account(*row) if row else None


def accounts(connection: Connection, after: int, limit: int) -> list[Account]:
    """Read accounts by id, without the built-in ones."""
    query = ACCOUNTS.where(t.accounts.c.id > after, t.accounts.c.id < RESERVED_IDS)
    return [Account(*row) for row in connection.execute(query.order_by(t.accounts.c.id).limit(limit))]


def credentials(
    connection: Connection, *, username: str | None = None, email: str | None = None
) -> tuple[Account, str] | None:
    """Find an account by username or e-mail, with its password's hash."""
    query = ACCOUNTS.add_columns(t.accounts.c.password_hash)
    if username is not None:
        query = query.where(t.accounts.c.handle == handle_of(username))
    else:
        query = query.where(t.accounts.c.email_key == (email or "").casefold())
    row = connection.execute(query).one_or_none()
    return (Account(*row[:-1]), row[-1]) if row else None


def password_hash(connection: Connection, account_id: int) -> str | None:
    """Read the hash of an account's password."""
    return connection.scalar(select(t.accounts.c.password_hash).where(t.accounts.c.id == account_id))


def heads(connection: Connection, log_ids: Iterable[LogId]) -> dict[LogId, int]:
    """Read the highest seq of each log."""
    return {row[0]: row[1] for row in rows(connection, _heads, list(log_ids))}


def welcome(connection: Connection, account_id: int, session_id: str) -> Welcome:
    """Read what somebody who connects begins with, as of one moment."""
    ends = heads(connection, [account_log(account_id), LOBBY_ID])
    return Welcome(stands(connection, session_id), epoch(connection), rooms_of(connection, account_id), ends)


def stands(connection: Connection, session_id: str) -> bool:
    """Tell whether a session has not ended."""
    return connection.scalar(select(t.sessions.c.id).where(t.sessions.c.id == session_id)) is not None


def own_head(connection: Connection, account_id: int, session_id: str | None) -> int | None:
    """Read the head of an account's own log; None where the session has ended."""
    if session_id is not None and not stands(connection, session_id):
        return None
    own = account_log(account_id)
    return heads(connection, [own])[own]


def room(connection: Connection, room_id: int, account_id: int) -> RoomView | None:
    """Find a room as one account sees it, whether or not they are in it."""
    views = _views(connection, account_id, ROOMS.where(t.rooms.c.id == room_id))
    return views[0] if views else None


def beside_room(
    connection: Connection, room_id: int, account_id: int, query: Callable[[Connection], T]
) -> tuple[RoomView | None, T]:
    """Find a room, and what a query says, as of one moment: who was put out is shown nothing that was said after it."""
    return room(connection, room_id, account_id), query(connection)


def rooms_of(connection: Connection, account_id: int, after: int = 0, limit: int | None = None) -> list[RoomView]:
    """Read the rooms that an account is in, by id, without the lobby."""
    mine = select(t.members.c.room_id).where(t.members.c.account_id == account_id)
    query = ROOMS.where(t.rooms.c.id.in_(mine), t.rooms.c.id > after, t.rooms.c.kind != Kind.LOBBY)
    return _views(connection, account_id, query.order_by(t.rooms.c.id).limit(limit))


def public_rooms(connection: Connection, account_id: int, after: int, limit: int) -> list[RoomView]:
    """Read the rooms that anybody may enter, by id."""
    query = ROOMS.where(t.rooms.c.kind.in_([str(kind) for kind in PUBLIC]), t.rooms.c.id > after)
    return _views(connection, account_id, query.order_by(t.rooms.c.id).limit(limit))


def _views(connection: Connection, account_id: int, query: Select[tuple[object, ...]]) -> list[RoomView]:
    rooms = [room_of(row) for row in connection.execute(query)]
    ids = [room.id for room in rooms]
    ends = {row[0]: Head(row[1], row[2], row[3]) for row in rows(connection, _heads, ids)}
    mine = by_key(MEMBERS, t.members.c.room_id).where(t.members.c.account_id == account_id)
    members = {row[0]: member_of(row) for row in rows(connection, mine, ids)}
    last_ids = [head.last_message_id for head in ends.values() if head.last_message_id is not None]
    last = {row[0]: message_of(row) for row in rows(connection, _messages, last_ids)}
    peers = _peers(connection, account_id, rooms)
    return [
        RoomView(room, ends[room.id], members.get(room.id), peers.get(room.id), last.get(room.id)) for room in rooms
    ]


def _peers(connection: Connection, account_id: int, rooms: list[Room]) -> dict[int, Person]:
    others = {room.id: direct_peer(room.direct_key, account_id) for room in rooms if room.direct_key}
    faces = people(connection, others.values()) if others else {}
    return {room_id: faces[other] for room_id, other in others.items() if other in faces}


def people(connection: Connection, account_ids: Iterable[int]) -> dict[int, Person]:
    """Read the faces of accounts."""
    return {row[0]: Person(*row) for row in rows(connection, _people, list(account_ids))}


def members(connection: Connection, room_id: int, after: int, limit: int) -> list[MemberView]:
    """Read who is in a room, by account id; in the lobby that is everybody."""
    faces = select(t.accounts.c.id, t.accounts.c.username, t.accounts.c.name)
    if room_id == LOBBY_ID:
        query = faces.add_columns(t.accounts.c.created_at).where(t.accounts.c.id < RESERVED_IDS)
    else:
        query = faces.add_columns(t.members.c.joined_at, t.members.c.role)
        query = query.join(t.members, t.members.c.account_id == t.accounts.c.id).where(t.members.c.room_id == room_id)
    query = query.where(t.accounts.c.id > after).order_by(t.accounts.c.id).limit(limit)
    return [
        MemberView(Person(row[0], row[1], row[2]), Role(row[4]) if len(row) > 4 else Role.MEMBER, row[3])
        for row in connection.execute(query)
    ]


def is_member(connection: Connection, room_id: int, account_id: int) -> bool:
    """Tell whether an account has a row in a room (in the lobby everybody is, without one)."""
    query = select(t.members.c.room_id).where(t.members.c.room_id == room_id, t.members.c.account_id == account_id)
    return connection.execute(query).first() is not None


def history(
    connection: Connection,
    room_id: int,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
) -> MessagePage:
    """Read a page of a room's messages by seq; the newest ones when no seq is given."""
    head_seq = heads(connection, [room_id]).get(room_id, 0)
    before, after, around = (None if seq is None else min(seq, head_seq + 1) for seq in (before, after, around))
    if around is not None:
        older = _older(connection, room_id, around + 1, limit - limit // 2)
        items = older + _newer(connection, room_id, around, limit // 2)
    elif after is not None:
        items = _newer(connection, room_id, after, limit)
    else:
        items = _older(connection, room_id, before if before is not None else head_seq + 1, limit)
    first = items[0].seq if items else (before or around or (after or 0) + 1)
    last = items[-1].seq if items else (after or around or (before or 1) - 1)
    more_before = bool(_older(connection, room_id, first, 1))
    more_after = bool(_newer(connection, room_id, last, 1))
    return MessagePage(items, more_before, more_after, head_seq)


def _older(connection: Connection, room_id: int, before: int, limit: int) -> list[Message]:
    query = MESSAGES.where(t.messages.c.room_id == room_id, t.messages.c.seq < before)
    rows = connection.execute(query.order_by(t.messages.c.seq.desc()).limit(limit)).all()
    return [message_of(row) for row in reversed(rows)]


def _newer(connection: Connection, room_id: int, after: int, limit: int) -> list[Message]:
    query = MESSAGES.where(t.messages.c.room_id == room_id, t.messages.c.seq > after)
    return [message_of(row) for row in connection.execute(query.order_by(t.messages.c.seq).limit(limit))]


def history_by_offset(
    connection: Connection, room_id: int, offset: int, limit: int | None
) -> tuple[list[Message], int]:
    """Read messages oldest first by offset, for contracts that page so, and how many there are in all."""
    query = MESSAGES.where(t.messages.c.room_id == room_id).order_by(t.messages.c.seq)
    total = connection.scalar(select(func.count()).where(t.messages.c.room_id == room_id)) or 0
    rows = connection.execute(query.offset(offset).limit(limit if limit is not None else -1))
    return [message_of(row) for row in rows], total


def closed_echoes(connection: Connection, account_id: int) -> list[int]:
    """Name an account's conversations with the echo that are over, in the order in which they ended."""
    query = select(t.echoes.c.id).where(t.echoes.c.account_id == account_id, t.echoes.c.closed_at.is_not(None))
    return list(connection.scalars(query.order_by(t.echoes.c.closed_at, t.echoes.c.id)))


def echo_page(connection: Connection, echo_ids: list[int], after: int) -> tuple[list[EchoLine], list[int], int]:
    """Read lines of conversations, one after another, of the first one those after a line: as many as 128 KiB allow.

    With it goes what the next page is asked by: the conversations that are left, and a line.
    """
    found: list[EchoLine] = []
    size = 0
    for index, echo_id in enumerate(echo_ids[:PAGE_ECHOES]):
        query = _echo_lines.where(t.echo_lines.c.echo_id == echo_id, t.echo_lines.c.id > after)
        for id, source, text, at in connection.execute(query.order_by(t.echo_lines.c.id)):
            found.append(EchoLine(source, text, at))
            size += size_of(text)
            if size > PAGE_BYTES:
                return found, echo_ids[index:], id
        after = 0
    return found, echo_ids[PAGE_ECHOES:], 0


def open_echoes(connection: Connection) -> list[int]:
    """Name the conversations with the echo that a crash left open."""
    return list(connection.scalars(select(t.echoes.c.id).where(t.echoes.c.closed_at.is_(None))))


def entries(connection: Connection, log_id: LogId, after: int, upto: int, limit: int) -> list[LogEvent]:
    """Read entries of a log in order: those after one seq and up to another, as many as `limit` and 128 KiB allow."""
    found: list[LogEvent] = _events_between(connection, log_id, after, upto, limit)
    if log_id > 0:
        found += _messages_between(connection, log_id, after, upto, limit)
        found.sort(key=lambda event: event.seq)
    return _contiguous(found[:limit], after)


def _contiguous(found: list[LogEvent], after: int) -> list[LogEvent]:
    """Cut behind the first hole: one of the two tables may have been read less far than the other."""
    for index, event in enumerate(found):
        if event.seq != after + 1 + index:
            return found[:index]
    return found


def _messages_between(connection: Connection, log_id: LogId, after: int, upto: int, limit: int) -> list[LogEvent]:
    between = and_(t.messages.c.room_id == log_id, t.messages.c.seq > after, t.messages.c.seq <= upto)
    found: list[LogEvent] = []
    size = 0
    for row in connection.execute(MESSAGES.where(between).order_by(t.messages.c.seq).limit(limit)):
        found.append(message_of(row))
        size += size_of(row[6])
        if size > PAGE_BYTES:
            break
    return found


def _events_between(connection: Connection, log_id: LogId, after: int, upto: int, limit: int) -> list[LogEvent]:
    between = and_(t.events.c.log_id == log_id, t.events.c.seq > after, t.events.c.seq <= upto)
    found = connection.execute(_events.where(between).order_by(t.events.c.seq).limit(limit)).all()
    if not found:
        return []
    faces = people(connection, {row.account_id for row in found if row.account_id is not None})
    named = {row.room_id for row in found if row.room_id is not None}
    rooms = {row[0]: room_of(row) for row in rows(connection, _rooms, named)}
    peers = _peers(connection, -log_id, list(rooms.values()))
    return [event_of(row, faces.get(row.account_id), rooms.get(row.room_id), peers.get(row.room_id)) for row in found]
