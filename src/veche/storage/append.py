"""Turn what a batch recorded into rows.

Entries of logs go in as one statement a table, whatever the batch's size; ends of logs and memberships are
written as the batch left them; the rest is rare and goes in event by event.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from veche.core import events as e
from veche.core.accounts import ANONYMOUS_ID
from veche.core.rooms import LOBBY_ID, Member
from veche.core.state import State
from veche.storage import schema as t
from veche.storage.changes import WRITE
from veche.storage.entries import event_row

_insert_message = insert(t.messages)
_insert_event = insert(t.events)
_insert_member = insert(t.members)
_delete_member = delete(t.members).where(
    t.members.c.room_id == bindparam("room"), t.members.c.account_id == bindparam("account")
)
_move_pointer = (
    update(t.members)
    .where(t.members.c.room_id == bindparam("room"), t.members.c.account_id == bindparam("account"))
    .values(read_seq=bindparam("seq"), read_count=bindparam("count"))
)
_move_head = (
    update(t.logs)
    .where(t.logs.c.id == bindparam("log"))
    .values(last_seq=bindparam("seq"), message_count=bindparam("count"), last_message_id=bindparam("message"))
)


def append(connection: Connection, state: State) -> None:
    """Write everything that `state.events` says, inside the open transaction."""
    messages = [message_row(event) for event in state.events if type(event) is e.Message]
    entries = [row for event in state.events if (row := event_row(event)) is not None]
    if messages:
        connection.execute(_insert_message, messages)
    if entries:
        connection.execute(_insert_event, entries)
    for event in state.events:
        if (write := WRITE.get(type(event))) is not None:
            write(connection, event)
    _write_members(connection, state)
    _write_heads(connection, state)


def message_row(message: e.Message) -> dict[str, Any]:
    """Make the row of a message."""
    return {
        "id": message.id,
        "room_id": message.log_id,
        "seq": message.seq,
        "number": message.number,
        "sender_id": message.sender.id,
        "kind": message.kind,
        "text": message.text,
        "client_message_id": message.client_message_id,
        "origin": message.origin,
        "created_at": message.at,
        "reader_id": None,
        "author": message.sender.username if message.sender.id == ANONYMOUS_ID else None,
    }


def _write_heads(connection: Connection, state: State) -> None:
    touched = {event.log_id for event in state.events if isinstance(event, e.LOGGED)}
    rows = [
        {"log": id, "seq": head.last_seq, "count": head.message_count, "message": head.last_message_id}
        for id in sorted(touched)
        for head in (state.heads[id],)
    ]
    if rows:
        connection.execute(_move_head, rows)


def _write_members(connection: Connection, state: State) -> None:
    replaced: set[tuple[int, int]] = set()
    moved: set[tuple[int, int]] = set()
    for event in state.events:
        match event:
            case e.Message():
                moved.add((event.log_id, event.sender.id))
            case e.MemberJoined() | e.MemberLeft():
                replaced.add((event.log_id, event.person.id))
            case e.ReadMoved():
                (replaced if event.room_id == LOBBY_ID else moved).add((event.room_id, -event.log_id))
    if replaced:
        connection.execute(_delete_member, [{"room": room, "account": account} for room, account in replaced])
    if kept := _members(state, replaced):
        connection.execute(_insert_member, [_member_row(member) for member in kept])
    if kept := _members(state, moved - replaced):
        connection.execute(_move_pointer, [_pointer_row(member) for member in kept])


def _members(state: State, keys: Iterable[tuple[int, int]]) -> list[Member]:
    return [state.members[key] for key in sorted(keys) if key in state.members]


def _member_row(member: Member) -> dict[str, Any]:
    return {field: getattr(member, field) for field in member.__struct_fields__}


def _pointer_row(member: Member) -> dict[str, Any]:
    return {
        "room": member.room_id,
        "account": member.account_id,
        "seq": member.read_seq,
        "count": member.read_count,
    }
