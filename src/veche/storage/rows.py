"""Rows to values: what is selected of each table, and the value that a row of it makes."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Select, func, select

from veche.core.accounts import Person
from veche.core.events import Message
from veche.core.rooms import Kind, Member, Role, Room
from veche.storage import schema as t
from veche.storage.sqlite import pack

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


def rows(connection: Connection, query: Select[Any], wanted: Collection[object]) -> Iterable[Any]:
    """Run a query of which the parameter `keys` says what is wanted; nothing wanted, nothing asked."""
    return connection.execute(query, {"keys": pack(wanted)}).all() if wanted else ()
