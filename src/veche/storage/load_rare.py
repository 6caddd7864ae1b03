"""What rarer commands need to know besides: names that are taken, sessions, direct rooms, single messages, free ids."""

from sqlalchemy import Connection, and_, func, or_, select

from veche.core.accounts import RESERVED_IDS, Session
from veche.core.needs import Needs
from veche.core.rooms import account_log
from veche.core.state import State
from veche.storage import schema as t
from veche.storage.rows import MESSAGES, ROOMS, message_of, rows
from veche.storage.sqlite import by_key, keys, part

_keys = keys("keys")
_handle = t.accounts.c.handle
_handles = select(_handle).join_from(
    _keys,
    t.accounts,
    or_(_handle == _keys.c.value, and_(_handle > _keys.c.value + "1", _handle < _keys.c.value + ":")),
)
_emails = by_key(select(t.accounts.c.email_key), t.accounts.c.email_key)
_unique_names = by_key(select(t.rooms.c.unique_name), t.rooms.c.unique_name)
_directs = by_key(ROOMS, t.rooms.c.direct_key)
_messages = by_key(MESSAGES, t.messages.c.id)
_sessions = select(
    t.sessions.c.id, t.sessions.c.account_id, t.sessions.c.origin, t.sessions.c.created_at, t.sessions.c.expires_at
).where(t.sessions.c.id.in_(select(_keys.c.value)))
_count = (
    select(t.messages.c.number)
    .where(t.messages.c.room_id == part(_keys, 0), t.messages.c.seq <= part(_keys, 1))
    .order_by(t.messages.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_counts = select(part(_keys, 0), part(_keys, 1), func.coalesce(_count, 0)).select_from(_keys)
_last_account = select(func.max(t.accounts.c.id)).where(t.accounts.c.id < RESERVED_IDS)
_last_room = select(func.max(t.rooms.c.id)).where(t.rooms.c.id < RESERVED_IDS)
_last_echo = select(func.max(t.echoes.c.id))
_last_echo_line = select(func.max(t.echo_lines.c.id))


def load_rare(connection: Connection, needs: Needs, state: State) -> None:
    """Read it; direct rooms and messages that are found add to the needs: who is in them, who wrote them."""
    _load_names(connection, needs, state)
    for row in rows(connection, _sessions, needs.sessions):
        state.sessions[row[0]] = Session(*row)
    for row in rows(connection, _directs, needs.directs):
        state.directs[row[5]] = row[0]
        needs.membership(row[0], *map(int, row[5].split(":")))
    for row in rows(connection, _messages, needs.messages):
        message = state.messages[row[2]] = message_of(row)
        needs.heads.add(account_log(message.sender.id))
        if row[12] is not None:
            state.read_messages.add(message.id)
    for room_id, seq, count in rows(connection, _counts, needs.counts):
        state.counts[room_id, seq] = count
    _load_ids(connection, needs, state)


def _load_names(connection: Connection, needs: Needs, state: State) -> None:
    state.handles.update(row[0] for row in rows(connection, _handles, needs.handles))
    state.emails.update(row[0] for row in rows(connection, _emails, needs.emails))
    state.unique_names.update(row[0] for row in rows(connection, _unique_names, needs.unique_names))


def _load_ids(connection: Connection, needs: Needs, state: State) -> None:
    if needs.account_ids:
        state.next_account_id = (connection.scalar(_last_account) or 0) + 1
    if needs.room_ids:
        state.next_room_id = (connection.scalar(_last_room) or 0) + 1
    if needs.echo_ids:
        state.next_echo_id = (connection.scalar(_last_echo) or 0) + 1
        state.next_echo_line_id = (connection.scalar(_last_echo_line) or 0) + 1
