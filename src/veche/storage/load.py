"""Fill a State with the rows that a batch of commands needs: one statement a table, whatever the batch's size."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from veche.core.accounts import RESERVED_IDS, Account, Person, Session
from veche.core.events import Message
from veche.core.needs import Needs
from veche.core.rooms import Head, Kind, LogId, Member, Role, Room
from veche.core.state import State
from veche.storage import schema as t
from veche.storage.sqlite import keys, pack, part

_ids, _pairs = keys("ids"), keys("pairs")

ACCOUNTS = select(
    t.accounts.c.id,
    t.accounts.c.username,
    t.accounts.c.handle,
    t.accounts.c.name,
    t.accounts.c.email,
    t.accounts.c.created_at,
)
ROOMS = select(
    t.rooms.c.id,
    t.rooms.c.kind,
    t.rooms.c.name,
    t.rooms.c.creator_id,
    t.rooms.c.created_at,
    t.rooms.c.direct_key,
    t.rooms.c.unique_name,
)
HEADS = select(t.logs.c.id, t.logs.c.last_seq, t.logs.c.message_count, t.logs.c.last_message_id)
MEMBERS = select(
    t.members.c.room_id,
    t.members.c.account_id,
    t.members.c.role,
    t.members.c.joined_at,
    t.members.c.read_seq,
    t.members.c.read_count,
)
MESSAGES = select(
    t.messages.c.room_id,
    t.messages.c.seq,
    t.messages.c.id,
    t.messages.c.sender_id,
    func.coalesce(t.messages.c.author, t.accounts.c.username),
    func.coalesce(t.messages.c.author, t.accounts.c.name),
    t.messages.c.text,
    t.messages.c.client_message_id,
    t.messages.c.origin,
    t.messages.c.created_at,
    t.messages.c.number,
    t.messages.c.kind,
    t.messages.c.reader_id,
).join_from(t.messages, t.accounts, t.accounts.c.id == t.messages.c.sender_id)

_accounts = ACCOUNTS.where(t.accounts.c.id.in_(select(_ids.c.value)))
_rooms = ROOMS.where(t.rooms.c.id.in_(select(_ids.c.value)))
_directs = ROOMS.where(t.rooms.c.direct_key.in_(select(_ids.c.value)))
_heads = HEADS.where(t.logs.c.id.in_(select(_ids.c.value)))
_members = MEMBERS.join_from(
    _pairs, t.members, and_(t.members.c.room_id == part(_pairs, 0), t.members.c.account_id == part(_pairs, 1))
)
_sent = MESSAGES.where(t.messages.c.sender_id == part(_pairs, 0), t.messages.c.client_message_id == part(_pairs, 1))
_messages = MESSAGES.where(t.messages.c.id.in_(select(_ids.c.value)))
_handle = t.accounts.c.handle
_handles = select(_handle).join_from(
    _ids,
    t.accounts,
    or_(_handle == _ids.c.value, and_(_handle > _ids.c.value + "1", _handle < _ids.c.value + ":")),
)
_unique_names = select(t.rooms.c.unique_name).where(t.rooms.c.unique_name.in_(select(_ids.c.value)))
_emails = select(t.accounts.c.email_key).where(t.accounts.c.email_key.in_(select(_ids.c.value)))
_sessions = select(
    t.sessions.c.id, t.sessions.c.account_id, t.sessions.c.origin, t.sessions.c.created_at, t.sessions.c.expires_at
).where(t.sessions.c.id.in_(select(_ids.c.value)))
_count = (
    select(t.messages.c.number)
    .where(t.messages.c.room_id == part(_pairs, 0), t.messages.c.seq <= part(_pairs, 1))
    .order_by(t.messages.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_counts = select(part(_pairs, 0), part(_pairs, 1), func.coalesce(_count, 0)).select_from(_pairs)
_next_message = select(func.max(t.messages.c.id))
_next_account = select(func.max(t.accounts.c.id)).where(t.accounts.c.id < RESERVED_IDS)
_next_echo = select(func.max(t.echoes.c.id))
_next_echo_line = select(func.max(t.echo_lines.c.id))
_next_room = select(func.max(t.rooms.c.id)).where(t.rooms.c.id < RESERVED_IDS)


def load(connection: Connection, needs: Needs) -> State:
    """Read what is needed, inside the transaction that will write."""
    state = State()
    _load_rooms(connection, needs, state)
    _load_people(connection, needs, state)
    _load_messages(connection, needs, state)
    if needs.account_ids:
        state.next_account_id = (connection.scalar(_next_account) or 0) + 1
    if needs.room_ids:
        state.next_room_id = (connection.scalar(_next_room) or 0) + 1
    if needs.echo_ids:
        state.next_echo_id = (connection.scalar(_next_echo) or 0) + 1
        state.next_echo_line_id = (connection.scalar(_next_echo_line) or 0) + 1
    return state


def _load_rooms(connection: Connection, needs: Needs, state: State) -> None:
    if needs.rooms:
        for row in connection.execute(_rooms, {"ids": pack(needs.rooms)}):
            state.rooms[row[0]] = room_of(row)
    if needs.heads:
        _load_heads(connection, state, needs.heads)
    if needs.members:
        _load_members(connection, state, needs.members)
    if needs.unique_names:
        state.unique_names.update(connection.scalars(_unique_names, {"ids": pack(needs.unique_names)}))
    if needs.directs:
        for found in connection.execute(_directs, {"ids": pack(needs.directs)}):
            room = state.rooms[found[0]] = room_of(found)
            state.directs[found[5]] = room.id
        _load_heads(connection, state, state.directs.values())
        both = [(room_id, int(id)) for key, room_id in state.directs.items() for id in key.split(":")]
        _load_members(connection, state, both)


def _load_heads(connection: Connection, state: State, log_ids: Iterable[LogId]) -> None:
    for row in connection.execute(_heads, {"ids": pack(log_ids)}):
        state.heads[row[0]] = Head(row[1], row[2], row[3])


def _load_members(connection: Connection, state: State, pairs: Iterable[tuple[int, int]]) -> None:
    for row in connection.execute(_members, {"pairs": pack(pairs)}):
        state.members[row[0], row[1]] = member_of(row)


def _load_people(connection: Connection, needs: Needs, state: State) -> None:
    if needs.accounts:
        for row in connection.execute(_accounts, {"ids": pack(needs.accounts)}):
            state.accounts[row[0]] = Account(*row)
    if needs.handles:
        state.handles.update(connection.scalars(_handles, {"ids": pack(needs.handles)}))
    if needs.emails:
        state.emails.update(connection.scalars(_emails, {"ids": pack(needs.emails)}))
    if needs.sessions:
        for found in connection.execute(_sessions, {"ids": pack(needs.sessions)}):
            state.sessions[found[0]] = Session(*found)


def _load_messages(connection: Connection, needs: Needs, state: State) -> None:
    if needs.sent:
        for row in connection.execute(_sent, {"pairs": pack(needs.sent)}):
            state.sent[row[3], row[7]] = message_of(row)
    if needs.messages:
        for row in connection.execute(_messages, {"ids": pack(needs.messages)}):
            state.messages[row[2]] = message_of(row)
            if row[12] is not None:
                state.read_messages.add(row[2])
    if needs.counts:
        for room_id, seq, count in connection.execute(_counts, {"pairs": pack(needs.counts)}):
            state.counts[room_id, seq] = count
    if needs.message_ids:
        state.next_message_id = (connection.scalar(_next_message) or 0) + 1


def room_of(row: Any) -> Room:
    """Make a Room of a row of ROOMS."""
    return Room(row[0], Kind(row[1]), row[2], row[3], row[4], row[5], row[6])


def member_of(row: Any) -> Member:
    """Make a Member of a row of MEMBERS."""
    return Member(row[0], row[1], Role(row[2]), row[3], row[4], row[5])


def message_of(row: Any) -> Message:
    """Make a Message of a row of MESSAGES."""
    sender = Person(row[3], row[4], row[5])
    return Message(row[0], row[1], row[2], sender, row[6], row[7], row[8], row[9], row[10], row[11])
