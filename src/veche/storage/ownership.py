"""Who owns a room: which of its members are next, by their roles and by when they joined."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Select, bindparam, select, union_all

from veche.core.ownership import ELDERS, NAMED, SUCCESSORS, Elder, Elders, OwnerChanged
from veche.core.values import Role
from veche.storage.accounts import accounts, person_of
from veche.storage.engines.engine import Transaction
from veche.storage.membership import members
from veche.storage.subject import Subject
from veche.storage.tables import Id

c = members.c
a = accounts.c


def _first_with(role: Role) -> Select[Any]:
    first = (
        select(c.account_id, c.role, c.joined_at)
        .where(c.room_id == bindparam("room"), c.role == str(role))
        .order_by(c.joined_at, c.account_id)
        .limit(bindparam("limit", type_=Id))
        .subquery()
    )
    return select(first)


_first = union_all(*map(_first_with, Role)).subquery()
_ELDERS = select(a.id, a.username, a.name, _first.c.role, _first.c.joined_at).join(_first, _first.c.account_id == a.id)


def _load(tx: Transaction, room_ids: Collection[int]) -> Iterator[tuple[int, Elders]]:
    for room_id in room_ids:
        found = tx.read(_ELDERS, room=room_id, limit=NAMED + 1)
        elders = [Elder(Role(row.role), row.joined_at, person_of(row)) for row in found]
        elders.sort(key=lambda elder: elder.place)
        yield room_id, Elders(tuple(elders[:NAMED]), len(elders) <= NAMED)


SUBJECT = Subject(loads={ELDERS: _load, SUCCESSORS: _load}, entries=(OwnerChanged,))
