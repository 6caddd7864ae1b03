"""Who owns a room: which of its members joined first."""

from collections.abc import Collection, Iterator

from sqlalchemy import bindparam, select

from veche.core.ownership import ELDERS, NAMED, SUCCESSORS, Elder, Elders, OwnerChanged
from veche.core.values import Person
from veche.storage.accounts import accounts
from veche.storage.engines.engine import Transaction
from veche.storage.membership import members
from veche.storage.subject import Subject
from veche.storage.tables import Id

c = members.c
a = accounts.c

_ELDERS = (
    select(a.id, a.username, a.name, c.joined_at)
    .join(members, c.account_id == a.id)
    .where(c.room_id == bindparam("room"))
    .order_by(c.joined_at, c.account_id)
    .limit(bindparam("limit", type_=Id))
)


def _load(tx: Transaction, room_ids: Collection[int]) -> Iterator[tuple[int, Elders]]:
    for room_id in room_ids:
        found = tx.read(_ELDERS, room=room_id, limit=NAMED + 1)
        elders = tuple(Elder(row.joined_at, Person(row.id, row.username, row.name)) for row in found)
        yield room_id, Elders(elders[:NAMED], len(elders) <= NAMED)


SUBJECT = Subject(loads={ELDERS: _load, SUCCESSORS: _load}, entries=(OwnerChanged,))
