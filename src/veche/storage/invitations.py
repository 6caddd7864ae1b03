"""Invitations into rooms: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, select

from veche.core.invitations import (
    INVITATION_COUNTS,
    INVITATIONS,
    InvitationAccepted,
    InvitationCame,
    InvitationEnded,
    InvitationGone,
    MemberInvited,
)
from veche.core.values import Invitation, Kind
from veche.core.views import InvitationView, InvitedView
from veche.storage.accounts import accounts, people, person_of
from veche.storage.blocks import blocks
from veche.storage.counting import rows_by_key
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.messages import message_of, messages, messages_by_id
from veche.storage.rooms import rooms_by_id
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

invitations = Table(
    "invitations",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("room_id", Id, primary_key=True, autoincrement=False, index=True),
    Column("by_id", Id, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
c = invitations.c
a = accounts.c
b = blocks.c

_insert = insert(invitations)
_delete = delete(invitations).where(c.room_id == bindparam("room"), c.account_id == bindparam("account"))
_FIRST = select(messages.c.id).where(messages.c.room_id == c.room_id).order_by(messages.c.seq).limit(1)
_OF_ACCOUNT = (
    select(invitations, _FIRST.scalar_subquery().label("first_id"))
    .where(c.account_id == bindparam("account"), c.room_id > bindparam("after"))
    .where(~select(b.at).where(b.account_id == c.account_id, b.blocked_id == c.by_id).exists())
    .order_by(c.room_id)
    .limit(bindparam("limit", type_=Id))
)
_OF_ROOM = (
    select(a.id, a.username, a.name, c.by_id, c.at)
    .join(invitations, c.account_id == a.id)
    .where(c.room_id == bindparam("room"), c.account_id > bindparam("after"))
    .order_by(c.account_id)
    .limit(bindparam("limit", type_=Id))
)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(invitations), c.room_id, c.account_id)


def _load(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Invitation]]:
    for row in tx.read_by_keys(_by_key, keys):
        yield (row.room_id, row.account_id), Invitation(row.room_id, row.account_id, row.by_id, row.at)


def _write(tx: Transaction, events: list[MemberInvited | InvitationEnded | InvitationAccepted]) -> None:
    """Write what the last event of each invitation says: delete what was there, and insert what is there now."""
    last = {_key(event): event for event in events}
    tx.write_each(_delete, [{"room": room_id, "account": account_id} for room_id, account_id in last])
    new = [
        {"account_id": key[1], "room_id": key[0], "by_id": event.by_id, "at": event.at}
        for key, event in last.items()
        if isinstance(event, MemberInvited)
    ]
    tx.write_each(_insert, new)


def _key(event: MemberInvited | InvitationEnded | InvitationAccepted) -> tuple[int, int]:
    if isinstance(event, InvitationAccepted):
        return event.room_id, event.account_id
    return event.log_id, event.person.id


SUBJECT = Subject(
    loads={INVITATIONS: _load, INVITATION_COUNTS: rows_by_key(c.account_id)},
    writes={(MemberInvited, InvitationEnded, InvitationAccepted): _write},
    entries=(MemberInvited, InvitationEnded, InvitationCame, InvitationGone),
)


# Queries.


def invitations_of(tx: Transaction, account_id: int, after: int, limit: int) -> list[InvitationView]:
    """Read what an account is invited into, in the order of room ids, starting after the id `after`.

    Those into direct rooms have the first message of the room. Invitations by people whom the account has blocked
    are left out.
    """
    found = tx.read(_OF_ACCOUNT, account=account_id, after=after, limit=limit)
    rooms, by = rooms_by_id(tx, {row.room_id for row in found}), people(tx, {row.by_id for row in found})
    first_ids = [row.first_id for row in found if row.first_id is not None and rooms[row.room_id].kind is Kind.DIRECT]
    first = {row.room_id: message_of(row) for row in tx.read_by_keys(messages_by_id, first_ids)}
    return [InvitationView(rooms[row.room_id], by[row.by_id], row.at, first.get(row.room_id)) for row in found]


def invited_into(tx: Transaction, room_id: int, after: int, limit: int) -> list[InvitedView]:
    """Read who is invited into a room, in the order of account ids, starting after the id `after`."""
    found = tx.read(_OF_ROOM, room=room_id, after=after, limit=limit)
    return [InvitedView(person_of(row), row.by_id, row.at) for row in found]
