"""Stores what is set for a room. It is in the table of rooms (`storage.rooms`)."""

from sqlalchemy import bindparam, update

from veche.core.room_settings import RoomChanged
from veche.storage.engines.engine import Transaction
from veche.storage.rooms import rooms
from veche.storage.subject import Subject

_COLUMNS = ("topic", "archived_at", "slow_seconds")
_update = (
    update(rooms).where(rooms.c.id == bindparam("room")).values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)


def _write(tx: Transaction, events: list[RoomChanged]) -> None:
    """Write the rooms as they are after the last of their events."""
    last = {event.room.id: event.room for event in events}
    rows = [{"room": id} | {f"new_{name}": getattr(room, name) for name in _COLUMNS} for id, room in last.items()]
    tx.write_each(_update, rows)


SUBJECT = Subject(writes={(RoomChanged,): _write}, entries=(RoomChanged,))
