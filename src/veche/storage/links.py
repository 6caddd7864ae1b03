"""Links into rooms: the table, what decisions and queries read from it, and how it is written."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Select, String, Table, bindparam, delete, insert, select

from veche.core.links import LINKS, LinkEnded, LinkMade, LinkUsed, is_over
from veche.core.values import Link, Room
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.rooms import rooms_by_id
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

links = Table(
    "links",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("room_id", Id, nullable=False, index=True),
    Column("by_id", Id, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("uses_left", BigInteger),
)
c = links.c

_insert = insert(links)
_delete = delete(links).where(c.code == bindparam("which"))
_OF_ROOM = select(links).where(c.room_id == bindparam("room"))
_OF_CODE = select(links).where(c.code == bindparam("which"))


def _link(row: Any) -> Link:
    return Link(row.code, row.room_id, row.by_id, row.created_at, row.until, row.uses_left)


def _of_rooms(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(links), c.room_id)


def _load(tx: Transaction, room_ids: Collection[int]) -> Iterable[tuple[int, tuple[Link, ...]]]:
    found: defaultdict[int, list[Link]] = defaultdict(list)
    for row in tx.read_by_keys(_of_rooms, room_ids):
        found[row.room_id].append(_link(row))
    return ((room_id, _in_order(ones)) for room_id, ones in found.items())


def _in_order(found: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(found, key=lambda link: link.created_at))


def _write(tx: Transaction, events: list[LinkMade | LinkUsed | LinkEnded]) -> None:
    """Write what the last event of each link says: delete what was there, and insert what is there now."""
    last: dict[str, Link | None] = {}
    for event in events:
        if isinstance(event, LinkEnded):
            last[event.code] = None
        else:
            last[event.link.code] = event.link
    tx.write_each(_delete, [{"which": code} for code in last])
    rows = [{name: getattr(link, name) for name in Link.__struct_fields__} for link in last.values() if link]
    tx.write_each(_insert, rows)


SUBJECT = Subject(
    loads={LINKS: _load},
    writes={(LinkMade, LinkUsed, LinkEnded): _write},
)


# Queries.


def links_of(tx: Transaction, room_id: int, now: int) -> tuple[Link, ...]:
    """Read the links of a room that are not over at `now`, in microseconds since 1970, the oldest first."""
    return _in_order(link for row in tx.read(_OF_ROOM, room=room_id) if not is_over(link := _link(row), now))


def room_of_link(tx: Transaction, code: str, now: int) -> tuple[Link, Room] | None:
    """Read the link with a code and its room, or None if there is no such link or it is over."""
    link = next(map(_link, tx.read(_OF_CODE, which=code)), None)
    if link is None or is_over(link, now):
        return None
    return link, rooms_by_id(tx, [link.room_id])[link.room_id]
