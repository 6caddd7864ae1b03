"""Members of rooms: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterator
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Select,
    String,
    Table,
    bindparam,
    delete,
    insert,
    literal,
    select,
    update,
)

from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.rooms import MEMBERS
from veche.core.state import State
from veche.core.values import LOBBY_ID, RESERVED_IDS, Level, Member, Role
from veche.core.views import MemberView
from veche.storage.accounts import accounts, person_of
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

members = Table(
    "members",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, primary_key=True, autoincrement=False, index=True),
    Column("role", String(16), nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("read_seq", BigInteger, nullable=False),
    Column("read_count", BigInteger, nullable=False),
    Column("spoke_at", BigInteger, nullable=False, server_default="0"),
    Column("level", String(16), nullable=False, server_default=str(Level.ALL)),
    Index("ix_members_room_id_role", "room_id", "role", "joined_at", "account_id"),
)
c = members.c
a = accounts.c

_this_member = (c.room_id == bindparam("room")) & (c.account_id == bindparam("account"))
_PERSON = select(a.id, a.username, a.name).where(a.id > bindparam("after")).order_by(a.id)
_PAGE = _PERSON.limit(bindparam("limit", type_=Id))
_EVERYBODY = _PAGE.add_columns(a.created_at.label("joined_at"), literal(str(Role.MEMBER)).label("role")).where(
    a.id < RESERVED_IDS
)
_MEMBERS_OF = (
    _PAGE.add_columns(c.joined_at, c.role).join(members, c.account_id == a.id).where(c.room_id == bindparam("room"))
)

_insert = insert(members)
_delete = delete(members).where(_this_member)
_move_pointer = (
    update(members)
    .where(_this_member)
    .values(read_seq=bindparam("seq"), read_count=bindparam("count"), spoke_at=bindparam("spoke"))
)


def member_of(row: Any) -> Member:
    """Make a Member from a row of the table `members`."""
    pointer, level = (row.read_seq, row.read_count), Level(row.level)
    return Member(row.room_id, row.account_id, Role(row.role), row.joined_at, *pointer, row.spoke_at, level)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(members), c.room_id, c.account_id)


def load_members(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Member]]:
    return (((row.room_id, row.account_id), member_of(row)) for row in tx.read_by_keys(_by_key, keys))


def _save_members(tx: Transaction, state: State) -> None:
    """Write the changed rows of members.

    If only the read pointer and `spoke_at` changed, update the row; a message by a member does this. If anything else
    changed, delete the row and insert it again. Insert new members, and delete those who left.
    """
    gone, new, moved = [], [], []
    for (room_id, account_id), before, member in state.changes(MEMBERS):
        this = {"room": room_id, "account": account_id}
        if member is not None and isinstance(before, Member) and _without_pointer(member) == _without_pointer(before):
            moved.append(this | {"seq": member.read_seq, "count": member.read_count, "spoke": member.spoke_at})
            continue
        if before is not None or member is None:
            gone.append(this)
        if member is not None:
            new.append({name: getattr(member, name) for name in member.__struct_fields__})
    for write, rows in ((_delete, gone), (_insert, new), (_move_pointer, moved)):
        tx.write_each(write, rows)


def _without_pointer(member: Member) -> Member:
    return replace(member, read_seq=0, read_count=0, spoke_at=0)


SUBJECT = Subject(
    loads={MEMBERS: load_members},
    saves={MEMBERS: _save_members},
    entries=(MemberJoined, MemberLeft, RoomEntered, RoomExited),
    keeps=(MEMBERS,),
)


# Queries.


def list_members(tx: Transaction, room_id: int, after: int, limit: int) -> list[MemberView]:
    """Read members of a room in the order of account ids, starting after the id `after`.

    For the lobby these are all accounts except the built-in ones.
    """
    if room_id == LOBBY_ID:
        found = tx.read(_EVERYBODY, after=after, limit=limit)
    else:
        found = tx.read(_MEMBERS_OF, room=room_id, after=after, limit=limit)
    return [MemberView(person_of(row), Role(row.role), row.joined_at) for row in found]
